"""Draw the way from the poster's score to the strict one: the steps' means in, bars out."""

from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.figures.waterfall import draw_waterfall
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
figure = draw_waterfall(read_summary(snakemake.input.waterfall), **spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
