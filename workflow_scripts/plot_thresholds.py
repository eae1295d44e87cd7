"""Draw IoU against the threshold: the threshold tables and the summary in, curves out."""

from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.figures.thresholds import average_curves, draw_thresholds
from clip_grounding.tables import read_evaluations
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
tables = read_evaluations(snakemake.input.thresholds, spec["evaluations"], spec["shards"])
curves = average_curves(tables, **spec["bootstrap"], seed=spec["seed"])
summary = read_summary(snakemake.input.summary)
figure = draw_thresholds(curves, summary, spec["bootstrap"]["confidence"])
save_figure(figure, snakemake.output, dpi=300)
job.finish()
