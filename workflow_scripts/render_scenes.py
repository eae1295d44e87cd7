"""Render a dataset of scenes in the published formats."""

from clip_grounding.scenes.archive import write_dataset
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
write_dataset(
    snakemake.output.images,
    snakemake.output.panoptic,
    snakemake.output.narratives,
    **job.spec,
)
job.finish()
