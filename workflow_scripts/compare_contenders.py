"""Compare the contenders phrase by phrase: differences with intervals and corrected p-values."""

import json

from clip_grounding.comparisons import compare
from clip_grounding.files import replacing
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
comparisons = compare(snakemake.input.scores, **spec["bootstrap"], seed=spec["seed"])
with replacing(snakemake.output.comparisons) as temporary:
    comparisons.to_csv(temporary, index=False, float_format="%.6f")
