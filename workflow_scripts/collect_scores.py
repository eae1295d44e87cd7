"""Put the scores of all contenders and shards into one table."""

import json
from itertools import product

from clip_grounding.logs import start_log
from clip_grounding.scores import COLLECTED_SCORES
from clip_grounding.tables import read_table, write_table

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
# The input lists the shards of the first contender, then those of the second, and so on.
columns = [contender for contender, _ in product(spec["contenders"], range(spec["shards"]))]
frames = (
    read_table(path).assign(model=model, attribution=attribution, direction=direction)
    for path, (model, attribution, direction) in zip(snakemake.input.scores, columns, strict=True)
)
write_table(snakemake.output.scores, frames, COLLECTED_SCORES, spec)
