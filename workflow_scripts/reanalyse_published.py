"""Reanalyse the published scores by region area: a table and a figure out."""

from clip_grounding.figures.style import save_figure
from clip_grounding.published.figure import draw_scores_by_area
from clip_grounding.published.reanalysis import phrase_table, reanalyse_published, scores_by_area
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.tables import read_table, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
phrases = phrase_table(read_table(snakemake.input.published))

write_csv(snakemake.output.table, reanalyse_published(phrases, bootstrap))
curves = scores_by_area(phrases, bootstrap)
figure = draw_scores_by_area(curves, bootstrap.confidence)
save_figure(figure, [snakemake.output.pdf, snakemake.output.png], dpi=300)
job.finish()
