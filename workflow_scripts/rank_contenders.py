"""Rank the models and attributions, and say which are tied: scores in, a table out."""

import json

from clip_grounding.files import replacing
from clip_grounding.logs import start_log
from clip_grounding.rankings import rank_contenders

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
rankings = rank_contenders(snakemake.input.scores, **spec["bootstrap"], seed=spec["seed"])
with replacing(snakemake.output.rankings) as temporary:
    rankings.to_csv(temporary, index=False, float_format="%.6f")
