"""Compare our poster scores with the published ones, phrase by phrase."""

from clip_grounding.published.agreement import compare_published
from clip_grounding.tables import read_table, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
agreement, worst = compare_published(
    read_table(snakemake.input.scores),
    read_table(snakemake.input.phrases),
    read_table(snakemake.input.published),
    model=spec["model"],
    attribution=spec["attribution"],
)
write_csv(snakemake.output.agreement, agreement)
write_csv(snakemake.output.worst, worst)
job.finish()
