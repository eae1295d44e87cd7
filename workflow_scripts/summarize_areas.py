"""Average the scores of one model, and the baselines', on the phrases of each region area."""

from clip_grounding.statistics.areas import average_by_area
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.paired import CONTENDER, METRICS
from clip_grounding.tables import KEYS, read_table, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
model, attribution = spec["model"], spec["attribution"]
scores = read_table(
    snakemake.input.scores,
    columns=[*(name for name, _ in KEYS), "direction", *CONTENDER, *METRICS, "region_area"],
    filters=[
        [("model", "=", model), ("attribution", "=", attribution)],
        [("model", "=", "baseline")],
    ],
)
areas = average_by_area(scores, model, attribution, bootstrap)
write_csv(snakemake.output.areas, areas)
job.finish()
