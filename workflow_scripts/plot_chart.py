"""Draw the chart that the rule is named after: tables of means in, a figure out."""

from importlib import import_module

from clip_grounding.figures.selection import read_summary
from clip_grounding.figures.style import save_figure
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
chart = job.rule.removeprefix("plot_")
draw = getattr(import_module(f"clip_grounding.figures.{chart}"), f"draw_{chart}")
figure = draw(*map(read_summary, snakemake.input), **job.spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
