"""Collect the scores of all contenders and shards in one table."""

from clip_grounding.scoring.images import COLLECTED_SCORES
from clip_grounding.tables import read_evaluations
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
frames = (
    table.assign(model=model, attribution=attribution, direction=direction)
    for (model, attribution, direction), table in read_evaluations(
        snakemake.input.scores, spec["evaluations"], spec["shards"]
    )
)
job.write_table(snakemake.output.scores, frames, COLLECTED_SCORES)
job.finish()
