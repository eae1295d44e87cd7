"""Collect the evidence of all models, maps and shards in two tables, a row per phrase."""

from clip_grounding.evidence.collect import (
    EFFECT_SCORES,
    EVIDENCE_SCORES,
    collect_effects,
    collect_evidence,
)
from clip_grounding.tables import read_evaluations
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs = job.spec, snakemake.input


def read(stage, evaluations):
    return read_evaluations(inputs[stage], spec[evaluations], spec["parts"])


effects = collect_effects(read("effects", "measured"), read("ceilings", "measured"))
job.write_table(snakemake.output.effects, effects, EFFECT_SCORES)
evidence = collect_evidence(
    read("effects", "measured"),
    read("faithfulness", "evaluations"),
    read("outcomes", "evaluations"),
    read("removal", "removals"),
)
job.write_table(snakemake.output.evidence, evidence, EVIDENCE_SCORES)
job.finish()
