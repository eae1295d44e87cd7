"""Average the scores of every contender, with intervals, coverage and costs."""

from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.costs import add_costs, read_costs
from clip_grounding.statistics.coverage import count_coverage
from clip_grounding.statistics.summary import add_published, summarize
from clip_grounding.tables import read_table, write_csv
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
scores = snakemake.input.scores
summary = summarize(
    scores,
    read_table(snakemake.input.phrases),
    read_table(snakemake.input.narratives),
    Bootstrap(**spec["bootstrap"], seed=spec["seed"]),
)
summary = add_published(summary, spec["published"])
summary = add_costs(summary, read_costs(snakemake.input.relevance))
write_csv(snakemake.output.summary, summary)
write_csv(snakemake.output.coverage, count_coverage(scores))
job.finish()
