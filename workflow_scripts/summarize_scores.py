"""Average the scores of every contender, with intervals, coverage and costs."""

from clip_grounding.files import replacing
from clip_grounding.statistics.costs import add_costs, count_maps, read_costs
from clip_grounding.statistics.coverage import count_coverage
from clip_grounding.statistics.summary import add_published, summarize
from clip_grounding.tables import read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
scores = snakemake.input.scores
summary = summarize(
    scores,
    read_table(snakemake.input.phrases),
    read_table(snakemake.input.narratives),
    **spec["bootstrap"],
    seed=spec["seed"],
)
summary = add_published(summary, spec["published"])
summary = add_costs(summary, read_costs(snakemake.input.costs), count_maps(scores))
with replacing(snakemake.output.summary) as temporary:
    summary.to_csv(temporary, index=False, float_format="%.6f")
with replacing(snakemake.output.coverage) as temporary:
    count_coverage(scores).to_csv(temporary, index=False)
job.finish()
