"""Build the gallery: choose items from the scores, and put their images and maps on a page."""

from pathlib import Path

import pandas as pd

from clip_grounding import __version__
from clip_grounding.datasets.archives import open_images
from clip_grounding.gallery.evidence import add_evidence, gather_evidence, read_evidence
from clip_grounding.gallery.images import gather_images, pack_items
from clip_grounding.gallery.index import build_index, read_partners
from clip_grounding.gallery.page import write_page
from clip_grounding.gallery.pictures import describe_look
from clip_grounding.gallery.selection import SELECTED_BY, choose_items
from clip_grounding.tables import read_evaluations, read_table, read_views
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
spec, files = job.spec, snakemake.input
phrases, narratives = read_table(files.phrases), read_table(files.narratives)
chosen_by = read_table(files.scores, columns=SELECTED_BY, categories=True)
chosen = {name: spec[name] for name in ("directions", "items", "strategy", "seed")}
facts = {name: spec[name] for name in ("dataset", "strategy", "seed")} | {"workflow": __version__}

items = choose_items(chosen_by, phrases, narratives, **chosen)
own = [("image_id", "in", items["image_id"].unique().tolist())]
scores = read_table(files.scores, filters=own)
phrases = phrases[phrases["image_id"].isin(items["image_id"])]
relevance = list(read_evaluations(files.relevance, spec["evaluations"], spec["shards"], own))
masks = pd.concat(read_table(path, filters=own) for path in files.masks)
index = build_index(items, scores, phrases, narratives) | describe_look() | facts
views = read_views(files.relevance, spec["evaluations"], spec["shards"])
packed = pack_items(items, phrases, relevance, read_partners(scores), views)
if spec["measured"]:
    tables = read_evidence(files, spec["measured"], spec["evaluations"], spec["parts"], own)
    add_evidence(index, packed, gather_evidence(items, **tables))
with open_images(files.images, spec["split"]) as images:
    gathered = gather_images(items, packed, narratives, masks, images.image)
    write_page(Path(snakemake.output.page), Path(snakemake.output.index).parent, index, gathered)
job.finish()
