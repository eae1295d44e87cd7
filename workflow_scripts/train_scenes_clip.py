"""Train a small CLIP on freshly rendered scenes and save it as a checkpoint folder."""

from pathlib import Path

from clip_grounding.scenes.train import train_checkpoint
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
train_checkpoint(
    folder=Path(snakemake.output.manifest).parent,
    image_count=spec["image_count"],
    steps=spec["steps"],
    batch_size=spec["batch_size"],
    learning_rate=spec["learning_rate"],
    seed=spec["seed"],
    threads=snakemake.threads,
)
job.finish()
