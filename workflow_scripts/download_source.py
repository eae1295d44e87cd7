"""Bring one published file of a dataset to its place, downloaded or linked."""

import json

from clip_grounding.downloads import download
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
spec = json.loads(snakemake.params.spec)
download(spec["url"], snakemake.output.file, spec["size"], spec["sha256"])
