"""Put the scores of all contenders and shards into one table."""

import json

from clip_grounding.logs import start_log
from clip_grounding.scores import COLLECTED_SCORES
from clip_grounding.tables import read_contenders, write_table

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
frames = (
    table.assign(model=model, attribution=attribution, direction=direction)
    for (model, attribution, direction), table in read_contenders(
        snakemake.input.scores, spec["contenders"], spec["shards"]
    )
)
write_table(snakemake.output.scores, frames, COLLECTED_SCORES, spec)
