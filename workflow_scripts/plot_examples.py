"""Draw the page of examples: the first shard's tables and images in, some phrases' maps out."""

from clip_grounding.datasets.archives import open_images
from clip_grounding.figures.examples import choose_examples, gather_examples
from clip_grounding.figures.pages import choice_direction, draw_examples
from clip_grounding.figures.style import save_figure
from clip_grounding.geometry import View
from clip_grounding.tables import read_provenance, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
directions = spec["directions"]
scores = dict(zip(directions, map(read_table, snakemake.input.scores), strict=True))
relevance = dict(zip(directions, snakemake.input.relevance, strict=True))

chosen = choose_examples(scores[choice_direction(directions)], spec["examples"])
narratives = [("narrative", "in", chosen["narrative"].to_list())]
with open_images(snakemake.input.images, spec["split"]) as images:
    examples = gather_examples(
        chosen,
        narratives=read_table(snakemake.input.narratives, filters=narratives),
        phrases=read_table(snakemake.input.phrases, filters=narratives),
        masks=read_table(snakemake.input.masks),
        relevance={name: read_table(path, filters=narratives) for name, path in relevance.items()},
        scores=scores,
        read_image=images.pixels,
        view=View(*read_provenance(snakemake.input.relevance[0])["view"]),
    )
save_figure(draw_examples(examples, directions), snakemake.output, dpi=250)
job.finish()
