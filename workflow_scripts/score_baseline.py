"""Score a baseline on one shard: one row per phrase."""

import json
from pathlib import Path

from clip_grounding.logs import start_log
from clip_grounding.scores import (
    SCORES,
    score_baseline_image_to_text,
    score_baseline_text_to_image,
)
from clip_grounding.tables import read_shard, read_table, write_table
from clip_grounding.tokens import TextTokenizer

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
kind, seed = spec["baseline"], spec["seed"]
phrases = read_shard(snakemake.input.phrases, spec["span"])

if spec["direction"] == "text_to_image":
    masks = read_table(snakemake.input.masks)
    frames = score_baseline_text_to_image(kind, phrases, masks, seed)
else:
    narratives = read_shard(snakemake.input.narratives, spec["span"])
    tokenizer = TextTokenizer(Path(snakemake.input.tokenizer).parent)
    frames = score_baseline_image_to_text(kind, phrases, narratives, tokenizer, seed)
write_table(snakemake.output.scores, frames, SCORES, spec)
