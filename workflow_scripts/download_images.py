"""Fetch a shard's images: only these where few are used, otherwise the zip of all, once."""

from pathlib import Path

from clip_grounding.datasets.layout import image_members
from clip_grounding.downloads.sources import bring_source
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
path = Path(snakemake.output.file)

# How images are fetched does not change them: `max_images` is not in the spec.
dataset = snakemake.config["datasets"][snakemake.wildcards.dataset]
image_count = dataset["image_count"]
are_few = 2 * (snakemake.config["max_images"] or image_count) <= image_count
members = image_members(snakemake.input.panoptic, spec["split"], spec["span"]) if are_few else None
places = dataset["images"]["url"]
bring_source(places, path, path.parent.parent, spec["size"], spec["sha256"], members)
job.finish()
