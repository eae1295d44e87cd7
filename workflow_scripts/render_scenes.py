"""Render a dataset of scenes in the published formats."""

import json

from clip_grounding.logs import start_log
from clip_grounding.scenes.archive import write_dataset

start_log(snakemake.log[0])
write_dataset(
    snakemake.output.images,
    snakemake.output.panoptic,
    snakemake.output.narratives,
    **json.loads(snakemake.params.spec),
)
