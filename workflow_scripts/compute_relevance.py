"""Compute one shard's relevance maps: images and phrases in, one row per phrase and prompt out."""

import json
from pathlib import Path

from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.relevance.job import compute_relevance
from clip_grounding.tables import RELEVANCE, read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
checkpoint = Path(snakemake.input.checkpoint).parent
manifest = json.loads(Path(snakemake.input.checkpoint).read_text())

frames = compute_relevance(
    direction=spec["direction"],
    attribution=spec["attribution"],
    checkpoint=checkpoint,
    images=snakemake.input.images,
    split=spec["split"],
    narratives=read_shard(snakemake.input.narratives, spec["span"]),
    phrases=read_shard(snakemake.input.phrases, spec["span"]),
    masks=read_table(masks) if (masks := snakemake.input.get("masks")) else None,
    device=snakemake.config["device"],
    precision=spec["precision"],
    batch_size=snakemake.resources.batch_size,
    threads=snakemake.threads,
)
job.write_table(
    snakemake.output.relevance,
    frames,
    RELEVANCE[spec["direction"]],
    checkpoint=manifest["checkpoint"],
    revision=manifest["revision"],
    view=ImagePreprocessor(checkpoint).view,
)
job.finish()
