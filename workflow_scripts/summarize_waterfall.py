"""Average the steps from the poster's protocol to the strict one."""

import json

from clip_grounding.files import replacing
from clip_grounding.logs import start_log
from clip_grounding.tables import read_contenders
from clip_grounding.waterfall import summarize_waterfall

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
tables = read_contenders(snakemake.input.waterfall, spec["contenders"], spec["shards"])
summary = summarize_waterfall(tables, **spec["bootstrap"], seed=spec["seed"])
with replacing(snakemake.output.summary) as temporary:
    summary.to_csv(temporary, index=False, float_format="%.6f")
