"""Draw scores against region area: the scores of one model and the baselines in, curves out."""

from clip_grounding.figures.area import average_by_area, draw_area
from clip_grounding.figures.style import save_figure
from clip_grounding.statistics.paired import METRICS
from clip_grounding.tables import KEYS, read_table
from clip_grounding.vocabulary import CONTENDER
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
model, attribution, bootstrap = spec["model"], spec["attribution"], spec["bootstrap"]
scores = read_table(
    snakemake.input.scores,
    columns=[*(name for name, _ in KEYS), "direction", *CONTENDER, *METRICS, "region_area"],
    filters=[
        [("model", "=", model), ("attribution", "=", attribution)],
        [("model", "=", "baseline")],
    ],
)
curves = average_by_area(scores, model, attribution, **bootstrap, seed=spec["seed"])
figure = draw_area(curves, model, attribution, bootstrap["confidence"])
save_figure(figure, snakemake.output, dpi=300)
job.finish()
