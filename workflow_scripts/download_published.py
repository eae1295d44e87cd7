"""Download or link one file of the published per-phrase scores."""

from pathlib import Path

from clip_grounding.downloads.files import download
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
folder = snakemake.config["published_metrics"].rstrip("/")
download([f"{folder}/{Path(snakemake.output.file).name}"], snakemake.output.file)
job.finish()
