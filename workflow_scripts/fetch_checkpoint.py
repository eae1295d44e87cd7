"""Fetch a model's checkpoint from the hub, or link a local one."""

from pathlib import Path

from clip_grounding.models.checkpoints import fetch_checkpoint
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
checkpoint = snakemake.config["models"][snakemake.wildcards.model]["checkpoint"]
fetch_checkpoint(checkpoint, job.spec.get("revision"), Path(snakemake.output.manifest).parent)
job.finish()
