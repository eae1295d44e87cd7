"""Score a baseline on one shard under both protocols: one row per phrase."""

from pathlib import Path

from clip_grounding.models.config import read_model_config
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring.captions import score_baseline_image_to_text
from clip_grounding.scoring.images import SCORES, exclude_wordless, score_baseline_text_to_image
from clip_grounding.tables import read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
kind, seed = spec["baseline"], spec["seed"]  # null for baselines that are not drawn
checkpoint = Path(snakemake.input.checkpoint).parent
phrases = read_shard(snakemake.input.phrases, spec["span"])
masks = read_table(snakemake.input.masks)
tokenizer = TextTokenizer(checkpoint)

if spec["direction"] == "text_to_image":
    scores = score_baseline_text_to_image(
        kind, phrases, masks, read_model_config(checkpoint).grid, seed
    )
    scores = exclude_wordless(scores, phrases, tokenizer)
else:
    narratives = read_shard(snakemake.input.narratives, spec["span"])
    scores = score_baseline_image_to_text(kind, phrases, narratives, masks, tokenizer, seed)
job.write_table(snakemake.output.scores, scores.drop(columns="curve"), SCORES)
job.finish()
