"""Score one shard's relevance maps under both protocols: one row per phrase and prompt."""

from pathlib import Path

from clip_grounding.geometry import View
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring.captions import score_image_to_text
from clip_grounding.scoring.images import (
    SCORES,
    THRESHOLDS,
    exclude_wordless,
    score_text_to_image,
    sum_curves,
)
from clip_grounding.tables import read_provenance, read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
relevance = read_table(snakemake.input.relevance)
phrases = read_shard(snakemake.input.phrases, spec["span"])
masks = read_table(snakemake.input.masks)

maps = read_provenance(snakemake.input.relevance)
tokenizer = TextTokenizer(Path(snakemake.input.checkpoint).parent)

if spec["direction"] == "text_to_image":
    scores = score_text_to_image(relevance, phrases, masks, spec["seed"], View(*maps["view"]))
    scores = exclude_wordless(scores, phrases, tokenizer)
else:
    narratives = read_shard(snakemake.input.narratives, spec["span"])
    scores = score_image_to_text(relevance, phrases, narratives, masks, tokenizer, spec["seed"])
job.write_table(snakemake.output.scores, scores.drop(columns="curve"), SCORES, relevance=maps)
job.write_table(snakemake.output.thresholds, sum_curves(scores), THRESHOLDS, relevance=maps)
job.finish()
