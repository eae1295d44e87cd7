"""Measure one part's similarities under random subsets of patches or words."""

from pathlib import Path

from clip_grounding.evidence.columns import SIMILARITIES
from clip_grounding.evidence.draws import sample_phrases
from clip_grounding.evidence.jobs import run_measurement
from clip_grounding.evidence.subsets import measure_similarities
from clip_grounding.tables import read_images, read_shard
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec

phrases = sample_phrases(
    read_shard(snakemake.input.phrases, spec["span"]), spec["share"], spec["seed"]
)
frames = run_measurement(
    measure_similarities,
    spec["direction"],
    Path(snakemake.input.checkpoint).parent,
    snakemake.input.images,
    spec["split"],
    narratives=read_shard(snakemake.input.narratives, spec["span"]),
    phrases=phrases,
    masks=read_images(snakemake.input.masks, phrases["image_id"]),
    device=snakemake.config["device"],
    batch_size=snakemake.resources.batch_size,
    threads=snakemake.threads,
    seed=spec["seed"],
    n_subsets=spec["subsets"],
)
job.write_table(snakemake.output.similarities, frames, SIMILARITIES)
job.finish()
