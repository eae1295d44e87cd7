"""Render a dataset of the kind that the rule is named after, in the published formats."""

from clip_grounding.converters import load_converter
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
write_dataset = load_converter(job.rule.removeprefix("render_"))
write_dataset(
    snakemake.output.images,
    snakemake.output.panoptic,
    snakemake.output.narratives,
    **job.spec,
)
job.finish()
