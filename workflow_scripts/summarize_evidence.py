"""Average the evidence of every contender, with intervals, and count its outcomes."""

from clip_grounding.evidence.curves import REMOVAL_CURVES, average_removal
from clip_grounding.evidence.summary import EVIDENCE, OUTCOME_SHARES, summarize_evidence
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.tables import read_evaluations, read_table, write_csv
from clip_grounding.vocabulary import CONTENDER, PHRASE
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, inputs, outputs = job.spec, snakemake.input, snakemake.output
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])


evidence, shares = summarize_evidence(
    read_table(inputs.effects),
    read_table(inputs.evidence),
    scores=read_table(
        inputs.scores,
        columns=[*PHRASE, "image_id", "direction", *CONTENDER, "region_area", "ap"],
    ),
    phrases=read_table(inputs.phrases),
    narratives=read_table(inputs.narratives),
    bootstrap=bootstrap,
)
removal = read_evaluations(inputs.removal, spec["removals"], spec["parts"])
curves = average_removal(removal, bootstrap)
for name, table, schema in (
    ("evidence", evidence, EVIDENCE),
    ("outcomes", shares, OUTCOME_SHARES),
    ("removal_curves", curves, REMOVAL_CURVES),
):
    write_csv(outputs[f"{name}_csv"], table)
    job.write_table(outputs[name], table, schema)
job.finish()
