"""Index a dataset: narratives and panoptic segments in, one row per narrative and phrase out."""

from clip_grounding.datasets.index import index_phrases
from clip_grounding.tables import NARRATIVES, PHRASES
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
sources = {"narratives": snakemake.input.narratives, "panoptic": snakemake.input.panoptic}

narratives, phrases = index_phrases(**sources, split=spec["split"], image_count=spec["image_count"])
job.write_table(snakemake.output.narratives, narratives, NARRATIVES, sources=sources)
job.write_table(snakemake.output.phrases, phrases, PHRASES, sources=sources)
job.finish()
