"""Score how well any additive map could predict one shard's similarities under random subsets."""

from clip_grounding.evidence.columns import CEILINGS
from clip_grounding.evidence.faithfulness import score_ceilings
from clip_grounding.tables import read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
ceilings = score_ceilings(
    spec["direction"],
    read_table(snakemake.input.similarities),
    read_shard(snakemake.input.phrases, spec["span"]),
)
job.write_table(snakemake.output.ceilings, ceilings, CEILINGS)
job.finish()
