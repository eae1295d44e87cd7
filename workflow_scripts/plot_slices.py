"""Draw strict average precision by slice: the summary in, dots with their intervals out."""

from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.slices import draw_slices
from clip_grounding.figures.style import save_figure
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
figure = draw_slices(read_summary(snakemake.input.summary), **spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
