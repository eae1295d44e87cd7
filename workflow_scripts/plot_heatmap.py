"""Draw the table of models and attributions: the rankings in, cells in colours out."""

from clip_grounding.figures.heatmap import draw_heatmap
from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
figure = draw_heatmap(read_summary(snakemake.input.rankings), **spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
