"""Bring a published file of a dataset to its place, whole or what is needed of it."""

import json
from pathlib import Path

from clip_grounding.downloads.sources import bring_source
from clip_grounding.layout import panoptic_members
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
path = Path(snakemake.output.file)

places = snakemake.config["datasets"][snakemake.wildcards.dataset][path.stem]["url"]
members = panoptic_members(spec["split"]) if "split" in spec else None
bring_source(places, path, path.parent, spec["size"], spec["sha256"], members)
