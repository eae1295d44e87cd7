"""Bring a model's checkpoint to its folder, from the hub or linked to a local one."""

import json
from pathlib import Path

from clip_grounding.checkpoints import fetch_checkpoint
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
checkpoint = snakemake.config["models"][snakemake.wildcards.model]["checkpoint"]
fetch_checkpoint(checkpoint, spec.get("revision"), Path(snakemake.output.manifest).parent)
