"""Rasterise the phrase masks of one shard: panoptic PNGs in, one row per distinct region out."""

from clip_grounding.datasets.masks import rasterize_masks
from clip_grounding.tables import MASKS, read_shard
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec

frames = rasterize_masks(
    narratives=read_shard(snakemake.input.narratives, spec["span"]),
    phrases=read_shard(snakemake.input.phrases, spec["span"]),
    panoptic=snakemake.input.panoptic,
    split=spec["split"],
)
sources = {"panoptic": snakemake.input.panoptic}
job.write_table(snakemake.output.masks, frames, MASKS, sources=sources)
job.finish()
