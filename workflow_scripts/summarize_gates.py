"""Decide which gates are passed, and which methods are certified."""

from clip_grounding.gates.certificates import CERTIFICATES, certify
from clip_grounding.gates.summary import GATES, summarize_gates
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.tables import read_evaluations, read_table, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs, outputs = job.spec, snakemake.input, snakemake.output
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
gates = summarize_gates(read_evaluations(inputs.gates, spec["gated"], 1), bootstrap)
evidence = read_table(inputs.evidence) if inputs.get("evidence") else None
certificates = certify(gates, evidence, spec["gated"], spec["blind"])
for name, table, schema in (
    ("gates", gates, GATES),
    ("certificates", certificates, CERTIFICATES),
):
    write_csv(outputs[f"{name}_csv"], table)
    job.write_table(outputs[name], table, schema)
job.finish()
