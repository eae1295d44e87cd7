"""Score one shard's relevance maps under both protocols: one row per phrase and prompt."""

import json
from pathlib import Path

from clip_grounding.logs import start_log
from clip_grounding.scores import (
    SCORES,
    THRESHOLDS,
    exclude_wordless,
    score_text_to_image,
    sum_curves,
)
from clip_grounding.tables import read_provenance, read_shard, read_table, write_table
from clip_grounding.token_scores import score_image_to_text
from clip_grounding.tokens import TextTokenizer

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
relevance = read_table(snakemake.input.relevance)
phrases = read_shard(snakemake.input.phrases, spec["span"])
masks = read_table(snakemake.input.masks)

tokenizer = TextTokenizer(Path(snakemake.input.checkpoint).parent)

if spec["direction"] == "text_to_image":
    scores = score_text_to_image(relevance, phrases, masks, spec["seed"])
    scores = exclude_wordless(scores, phrases, tokenizer)
else:
    narratives = read_shard(snakemake.input.narratives, spec["span"])
    scores = score_image_to_text(relevance, phrases, narratives, masks, tokenizer, spec["seed"])
facts = {**spec, "relevance": read_provenance(snakemake.input.relevance)}
write_table(snakemake.output.scores, scores.drop(columns="curve"), SCORES, facts)
write_table(snakemake.output.thresholds, sum_curves(scores), THRESHOLDS, facts)
