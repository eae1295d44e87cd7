"""Read the six published files without running their code: one row per score."""

from clip_grounding.published.files import PUBLISHED_SCORES
from clip_grounding.published.run import read_published_run
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
scores = read_published_run(snakemake.input.files, spec["narratives"], spec["phrases"])
job.write_table(snakemake.output.scores, scores, PUBLISHED_SCORES)
job.finish()
