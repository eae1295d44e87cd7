"""Draw the chart that the rule is named after: tables of means in, a figure out."""

from importlib import import_module

from clip_grounding.figures.style import save_figure
from clip_grounding.tables import read_csv
from clip_grounding.vocabulary import EVALUATION
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
chart = job.rule.removeprefix("plot_")
draw = getattr(import_module(f"clip_grounding.figures.{chart}"), f"draw_{chart}")
tables = [read_csv(path, columns=EVALUATION) for path in snakemake.input]
figure = draw(*tables, **job.spec)
save_figure(figure, snakemake.output, dpi=300)
job.finish()
