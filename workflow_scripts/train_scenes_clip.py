"""Train a small CLIP on freshly rendered scenes and save it as a checkpoint folder."""

import json
from pathlib import Path

from clip_grounding.logs import start_log
from clip_grounding.scenes.train import train_checkpoint

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
train_checkpoint(
    folder=Path(snakemake.output.manifest).parent,
    image_count=spec["image_count"],
    steps=spec["steps"],
    batch_size=spec["batch_size"],
    learning_rate=spec["learning_rate"],
    seed=spec["seed"],
    threads=snakemake.threads,
)
