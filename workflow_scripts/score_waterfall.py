"""Score one shard's maps after each correction from the poster's protocol to the strict one."""

from pathlib import Path

from clip_grounding.geometry import View
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.scoring.waterfall import WATERFALL, correct_image_to_text, correct_text_to_image
from clip_grounding.tables import read_provenance, read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
relevance = read_table(snakemake.input.relevance)
phrases = read_shard(snakemake.input.phrases, spec["span"])
masks = read_table(snakemake.input.masks)

if spec["direction"] == "text_to_image":
    view = View(*read_provenance(snakemake.input.relevance)["view"])
    frames = correct_text_to_image(relevance, phrases, masks, view)
else:
    narratives = read_shard(snakemake.input.narratives, spec["span"])
    tokenizer = TextTokenizer(Path(snakemake.input.checkpoint).parent)
    frames = correct_image_to_text(relevance, phrases, narratives, masks, tokenizer)
job.write_table(snakemake.output.waterfall, frames, WATERFALL)
job.finish()
