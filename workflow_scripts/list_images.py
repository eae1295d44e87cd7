"""List a shard's images that lie in a folder: the panoptic archive in, names and digests out."""

import json

from clip_grounding.folders import list_images
from clip_grounding.layout import image_members
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)

members = image_members(snakemake.input.panoptic, spec["split"], spec["span"])
list_images(spec["folder"], spec["split"], members, snakemake.output.list)
