"""Read the six published files, running none of their code: one row per score."""

import json

from clip_grounding.logs import start_log
from clip_grounding.published_files import PUBLISHED_SCORES
from clip_grounding.published_run import read_published_run
from clip_grounding.tables import write_table

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
scores = read_published_run(snakemake.input.files, spec["narratives"], spec["phrases"])
write_table(snakemake.output.scores, scores, PUBLISHED_SCORES, spec)
