"""Rank the models and attributions, and say which are tied: scores in, a table out."""

from clip_grounding.files import replacing
from clip_grounding.statistics.rankings import rank_contenders
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
rankings = rank_contenders(snakemake.input.scores, **spec["bootstrap"], seed=spec["seed"])
with replacing(snakemake.output.rankings) as temporary:
    rankings.to_csv(temporary, index=False, float_format="%.6f")
job.finish()
