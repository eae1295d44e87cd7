"""Fetch a published file of a dataset: the whole file, or the parts that are needed."""

from pathlib import Path

from clip_grounding.datasets.layout import panoptic_members
from clip_grounding.downloads.sources import bring_source
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
path = Path(snakemake.output.file)

places = snakemake.config["datasets"][snakemake.wildcards.dataset][path.stem]["url"]
members = panoptic_members(spec["split"]) if "split" in spec else None
bring_source(places, path, path.parent, spec["size"], spec["sha256"], members)
job.finish()
