"""Measure one part's region effects: the similarity without a phrase's region."""

from pathlib import Path

from clip_grounding.evidence.columns import EFFECTS
from clip_grounding.evidence.draws import sample_phrases
from clip_grounding.evidence.effects import exclude_wordless, measure_effects
from clip_grounding.evidence.jobs import run_measurement
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.tables import read_images, read_shard
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec

checkpoint = Path(snakemake.input.checkpoint).parent
phrases = sample_phrases(
    read_shard(snakemake.input.phrases, spec["span"]), spec["share"], spec["seed"]
)

frames = run_measurement(
    measure_effects,
    spec["direction"],
    checkpoint,
    snakemake.input.images,
    spec["split"],
    narratives=read_shard(snakemake.input.narratives, spec["span"]),
    phrases=phrases,
    masks=read_images(snakemake.input.masks, phrases["image_id"]),
    device=snakemake.config["device"],
    batch_size=snakemake.resources.batch_size,
    threads=snakemake.threads,
    seed=spec["seed"],
    n_controls=spec["controls"],
)
if spec["direction"] == "text_to_image":
    tokenizer = TextTokenizer(checkpoint)
    frames = (exclude_wordless(frame, phrases, tokenizer) for frame in frames)
job.write_table(snakemake.output.effects, frames, EFFECTS)
job.finish()
