"""Average the scores of every contender, with intervals, beside the published means."""

import json

import pandas as pd

from clip_grounding.logs import start_log
from clip_grounding.scores import METRICS
from clip_grounding.statistics import CONTENDER, summarize
from clip_grounding.tables import read_table, replacing

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
summary = summarize(
    read_table(snakemake.input.scores),
    METRICS,
    resamples=spec["bootstrap"]["resamples"],
    confidence=spec["bootstrap"]["confidence"],
    seed=spec["seed"],
)
published = pd.DataFrame(spec["published"], columns=["direction", *CONTENDER, "published"])
published["metric"] = "poster_iou"
summary = summary.merge(published, how="left", on=["direction", *CONTENDER, "metric"])
with replacing(snakemake.output.summary) as temporary:
    summary.to_csv(temporary, index=False, float_format="%.6f")
