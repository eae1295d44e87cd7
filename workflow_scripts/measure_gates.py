"""Compare a method's maps with those of randomised models and of other prompts."""

from pathlib import Path

from clip_grounding.attribution import load_attribution
from clip_grounding.evidence.draws import sample_phrases
from clip_grounding.gates.columns import MEASURED
from clip_grounding.gates.jobs import run_gates
from clip_grounding.tables import read_images, read_shard
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs = job.spec, snakemake.input
phrases = sample_phrases(read_shard(inputs.phrases, spec["span"]), spec["share"], spec["seed"])

gates = run_gates(
    spec["direction"],
    load_attribution(**spec["attribution"]),
    Path(inputs.checkpoint).parent,
    inputs.get("images"),
    spec["split"],
    narratives=read_shard(inputs.narratives, spec["span"]),
    phrases=phrases,
    masks=read_images(inputs.masks, phrases["image_id"]) if inputs.get("masks") else None,
    relevance=read_images(inputs.relevance, phrases["image_id"]),
    device=snakemake.config["device"],
    precision=spec["precision"],
    batch_size=snakemake.resources.batch_size,
    threads=snakemake.threads,
    seed=spec["seed"],
    n_models=spec["models"],
    n_target=spec["target"],
    n_curve=spec["curve"],
)
job.write_table(snakemake.output.gates, gates, MEASURED)
job.finish()
