"""Average the steps from the poster's protocol to the strict one."""

from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.waterfall import summarize_waterfall
from clip_grounding.tables import read_evaluations, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
tables = read_evaluations(snakemake.input.waterfall, spec["evaluations"], spec["shards"])
summary = summarize_waterfall(tables, bootstrap)
write_csv(snakemake.output.summary, summary)
job.finish()
