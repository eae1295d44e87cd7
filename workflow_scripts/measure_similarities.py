"""Measure one shard's similarities under random subsets of patches or words."""

from pathlib import Path

from clip_grounding.evidence.columns import SIMILARITIES
from clip_grounding.evidence.draws import sample_phrases
from clip_grounding.evidence.jobs import run_measurement
from clip_grounding.evidence.subsets import measure_similarities
from clip_grounding.tables import read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec

frames = run_measurement(
    measure_similarities,
    spec["direction"],
    Path(snakemake.input.checkpoint).parent,
    snakemake.input.images,
    spec["split"],
    narratives=read_shard(snakemake.input.narratives, spec["span"]),
    phrases=sample_phrases(
        read_shard(snakemake.input.phrases, spec["span"]), spec["share"], spec["seed"]
    ),
    masks=read_table(snakemake.input.masks),
    device=snakemake.config["device"],
    batch_size=snakemake.resources.batch_size,
    threads=snakemake.threads,
    seed=spec["seed"],
    n_subsets=spec["subsets"],
)
job.write_table(snakemake.output.similarities, frames, SIMILARITIES)
job.finish()
