"""Measure one part's similarities while a map orders which patches or words are taken out."""

from pathlib import Path

from clip_grounding.evidence.columns import REMOVAL
from clip_grounding.evidence.draws import sample_phrases
from clip_grounding.evidence.jobs import run_measurement
from clip_grounding.evidence.maps import read_maps
from clip_grounding.evidence.removal import measure_removal
from clip_grounding.models.config import read_model_config
from clip_grounding.tables import read_images, read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs = job.spec, snakemake.input
direction, seed = spec["direction"], spec["seed"]
checkpoint = Path(inputs.checkpoint).parent
similarities = sample_phrases(read_table(inputs.similarities), spec["share"], seed)
maps = inputs.get("relevance")
relevance = read_images(maps, similarities["image_id"]) if maps else None
phrases = read_shard(inputs.phrases, spec["span"])
grid = read_model_config(checkpoint).grid

frames = run_measurement(
    measure_removal,
    direction,
    checkpoint,
    inputs.images,
    spec["split"],
    narratives=read_shard(inputs.narratives, spec["span"]),
    phrases=sample_phrases(phrases, spec["share"], seed),
    masks=read_images(inputs.masks, similarities["image_id"]),
    device=snakemake.config["device"],
    batch_size=snakemake.resources.batch_size,
    threads=snakemake.threads,
    seed=seed,
    rows=read_maps(spec["maps"], direction, relevance, similarities, phrases, grid, seed),
)
job.write_table(snakemake.output.removal, frames, REMOVAL)
job.finish()
