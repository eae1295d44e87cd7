"""Average the steps from the poster's protocol to the strict one."""

from clip_grounding.files import replacing
from clip_grounding.statistics.waterfall import summarize_waterfall
from clip_grounding.tables import read_evaluations
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
tables = read_evaluations(snakemake.input.waterfall, spec["evaluations"], spec["shards"])
summary = summarize_waterfall(tables, **spec["bootstrap"], seed=spec["seed"])
with replacing(snakemake.output.summary) as temporary:
    summary.to_csv(temporary, index=False, float_format="%.6f")
job.finish()
