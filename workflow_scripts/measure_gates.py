"""Compare a method's maps with those of randomised models and of other prompts."""

from pathlib import Path

import pandas as pd

from clip_grounding.attribution import load_attribution
from clip_grounding.evidence.draws import sample_phrases
from clip_grounding.gates.columns import MEASURED
from clip_grounding.gates.jobs import run_gates
from clip_grounding.tables import read_shard, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs = job.spec, snakemake.input
phrases = sample_phrases(read_shard(inputs.phrases, spec["span"]), spec["share"], spec["seed"])
drawn = [("image_id", "in", phrases["image_id"].unique().tolist())]


def read_drawn(paths):
    return pd.concat([read_table(path, filters=drawn) for path in paths], ignore_index=True)


gates = run_gates(
    spec["direction"],
    load_attribution(**spec["attribution"]),
    Path(inputs.checkpoint).parent,
    inputs.get("images"),
    spec["split"],
    narratives=read_shard(inputs.narratives, spec["span"]),
    phrases=phrases,
    masks=read_drawn(inputs.masks) if inputs.get("masks") else None,
    relevance=read_drawn(inputs.relevance),
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
