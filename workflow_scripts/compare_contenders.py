"""Compare the contenders phrase by phrase: differences with intervals and corrected p-values."""

from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.comparisons import compare
from clip_grounding.tables import write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
bootstrap = Bootstrap(**spec["bootstrap"], seed=spec["seed"])
comparisons = compare(snakemake.input.scores, bootstrap)
write_csv(snakemake.output.comparisons, comparisons)
job.finish()
