"""Bring a published file of a dataset to its place, whole or what is needed of it."""

import json

from clip_grounding import layout
from clip_grounding.downloads.sources import bring_source
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)

members = None
if split := spec.get("split"):
    if count := spec.get("images"):
        members = layout.image_members(snakemake.input.panoptic, split, count)
    else:
        members = layout.panoptic_members(split)
bring_source(spec["url"], snakemake.output.file, spec["size"], spec["sha256"], members)
