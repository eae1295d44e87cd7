"""Score one part's maps against the model: faithfulness, and whether they show what it uses."""

from pathlib import Path

from clip_grounding.evidence.columns import FAITHFULNESS, OUTCOMES
from clip_grounding.evidence.faithfulness import score_faithfulness
from clip_grounding.evidence.maps import read_maps
from clip_grounding.evidence.outcomes import score_outcomes
from clip_grounding.models.config import read_model_config
from clip_grounding.tables import read_images, read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs = job.spec, snakemake.input
direction = spec["direction"]
phrases = read_shard(inputs.phrases, spec["span"])
similarities = read_table(inputs.similarities)
maps = inputs.get("relevance")
rows = read_maps(
    spec["maps"],
    direction,
    read_images(maps, similarities["image_id"]) if maps else None,
    similarities,
    phrases,
    read_model_config(Path(inputs.checkpoint).parent).grid,
    spec["seed"],
)
scores = score_faithfulness(direction, rows, similarities, phrases)
outcomes = score_outcomes(rows, read_table(inputs.effects))
job.write_table(snakemake.output.faithfulness, scores, FAITHFULNESS)
job.write_table(snakemake.output.outcomes, outcomes, OUTCOMES)
job.finish()
