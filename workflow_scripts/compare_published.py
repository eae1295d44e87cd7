"""Compare our poster scores with the published ones, phrase by phrase."""

from clip_grounding.files import replacing
from clip_grounding.published.agreement import compare_with_published
from clip_grounding.tables import read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
agreement, worst = compare_with_published(
    read_table(snakemake.input.scores),
    read_table(snakemake.input.phrases),
    read_table(snakemake.input.published),
    model=spec["model"],
    attribution=spec["attribution"],
)
for table, path in ((agreement, snakemake.output.agreement), (worst, snakemake.output.worst)):
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
job.finish()
