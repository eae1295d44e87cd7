"""Rank the models and attributions, and say which are tied: scores in, a table out."""

from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.rankings import add_certificates, rank_contenders
from clip_grounding.tables import read_table, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
rankings = rank_contenders(snakemake.input.scores, bootstrap)
certificates = snakemake.input.get("certificates")
rankings = add_certificates(rankings, read_table(certificates) if certificates else None)
write_csv(snakemake.output.rankings, rankings)
job.finish()
