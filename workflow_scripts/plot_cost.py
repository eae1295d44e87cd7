"""Draw score against cost: the summary in, a point per model and attribution out."""

from clip_grounding.figures.cost import draw_cost
from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
figure = draw_cost(read_summary(snakemake.input.summary), **spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
