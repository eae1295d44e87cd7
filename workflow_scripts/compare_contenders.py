"""Compare the contenders phrase by phrase: differences with intervals and corrected p-values."""

from clip_grounding.files import replacing
from clip_grounding.statistics.comparisons import compare
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
comparisons = compare(snakemake.input.scores, **spec["bootstrap"], seed=spec["seed"])
with replacing(snakemake.output.comparisons) as temporary:
    comparisons.to_csv(temporary, index=False, float_format="%.6f")
job.finish()
