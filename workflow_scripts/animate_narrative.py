"""Animate a narrative: an image and relevance maps in, a frame per phrase out."""

import pandas as pd

from clip_grounding.datasets.archives import open_images
from clip_grounding.figures.animation import (
    AUTO,
    choose_narrative,
    draw_frames,
    find_narrative,
    ground_phrases,
    save_animation,
)
from clip_grounding.figures.examples import choose_examples
from clip_grounding.geometry import View
from clip_grounding.tables import read_provenance, read_table
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec = job.spec
phrases = read_table(snakemake.input.phrases)
narrative = spec["narrative"]
if narrative == AUTO:
    scores = read_table(snakemake.input.scores[0])
    narrative = choose_narrative(choose_examples(scores, spec["examples"]), phrases)
caption = find_narrative(narrative, read_table(snakemake.input.narratives))
own, here = [("narrative", "=", narrative)], [("image_id", "=", int(caption["image_id"]))]
relevance = pd.concat([read_table(path, filters=own) for path in snakemake.input.relevance])
masks = pd.concat([read_table(path, filters=here) for path in snakemake.input.masks])
view = View(*read_provenance(snakemake.input.relevance[0])["view"])
grounded = ground_phrases(narrative, phrases, masks, relevance, view)
with open_images(snakemake.input.images, spec["split"]) as images:
    image = images.pixels(*caption[["file_name", "height", "width"]])
title = f"{spec['model']}, {spec['attribution']}"
save_animation(draw_frames(image, caption["text"], grounded, title), snakemake.output.animation)
job.finish()
