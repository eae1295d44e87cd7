"""Average the foreground IoU of every model and attribution at each threshold."""

from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.curves import average_curves
from clip_grounding.tables import read_evaluations, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
tables = read_evaluations(snakemake.input.thresholds, spec["evaluations"], spec["shards"])
curves = average_curves(tables, bootstrap)
write_csv(snakemake.output.curves, curves)
job.finish()
