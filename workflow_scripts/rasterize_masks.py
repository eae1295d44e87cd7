"""Rasterise the phrase masks of one shard: panoptic PNGs in, one row per distinct region out."""

import json

from clip_grounding.logs import start_log
from clip_grounding.masks import rasterize_masks
from clip_grounding.tables import MASKS, read_shard, write_table

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)

frames = rasterize_masks(
    narratives=read_shard(snakemake.input.narratives, spec["span"]),
    phrases=read_shard(snakemake.input.phrases, spec["span"]),
    panoptic=snakemake.input.panoptic,
    split=spec["split"],
)
facts = {**spec, "sources": {"panoptic": snakemake.input.panoptic}}
write_table(snakemake.output.masks, frames, MASKS, facts)
