"""Index a dataset: narratives and panoptic segments in, one row per narrative and phrase out."""

import json

from clip_grounding.index import index_phrases
from clip_grounding.logs import start_log
from clip_grounding.tables import NARRATIVES, PHRASES, write_table

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
sources = {"narratives": snakemake.input.narratives, "panoptic": snakemake.input.panoptic}

narratives, phrases = index_phrases(**sources, split=spec["split"], image_count=spec["image_count"])
facts = {**spec, "sources": sources}
write_table(snakemake.output.narratives, narratives, NARRATIVES, facts)
write_table(snakemake.output.phrases, phrases, PHRASES, facts)
