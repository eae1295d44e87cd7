"""Draw the poster's bar chart: the summary in, the contenders' mean scores as bars out."""

from clip_grounding.figures.bars import draw_scores
from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
figure = draw_scores(read_summary(snakemake.input.summary), **spec, protocol="poster")
save_figure(figure, snakemake.output, dpi=300)
job.finish()
