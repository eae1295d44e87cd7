"""List a shard's images that lie in a folder: the panoptic archive in, names and digests out."""

from clip_grounding.datasets.folders import list_images
from clip_grounding.datasets.layout import image_members
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
members = image_members(snakemake.input.panoptic, spec["split"], spec["span"])
list_images(spec["folder"], spec["split"], members, snakemake.output.list)
job.finish()
