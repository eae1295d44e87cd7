"""Bring one file of the published per-phrase scores to its place, downloaded or linked."""

from clip_grounding.downloads.files import download
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
download([job.spec["url"]], snakemake.output.file)
job.finish()
