"""Average the scores of every contender, with intervals, and count what they leave out."""

import json

from clip_grounding.coverage import count_coverage
from clip_grounding.files import replacing
from clip_grounding.logs import start_log
from clip_grounding.summary import add_published, summarize
from clip_grounding.tables import read_table

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
summary = summarize(
    snakemake.input.scores,
    read_table(snakemake.input.phrases),
    read_table(snakemake.input.narratives),
    **spec["bootstrap"],
    seed=spec["seed"],
)
with replacing(snakemake.output.summary) as temporary:
    add_published(summary, spec["published"]).to_csv(temporary, index=False, float_format="%.6f")
with replacing(snakemake.output.coverage) as temporary:
    count_coverage(snakemake.input.scores).to_csv(temporary, index=False)
