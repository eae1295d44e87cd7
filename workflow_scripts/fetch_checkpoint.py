"""Bring a model's checkpoint to its folder, from the hub or linked to a local one."""

from pathlib import Path

from clip_grounding.checkpoints import fetch_checkpoint
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
fetch_checkpoint(spec["checkpoint"], spec["revision"], Path(snakemake.output.manifest).parent)
job.finish()
