"""Draw the paired differences of strict AP: the comparisons in, dots with their intervals out."""

from clip_grounding.figures.differences import draw_differences
from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
figure = draw_differences(read_summary(snakemake.input.comparisons), **spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
