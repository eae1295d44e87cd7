"""Bring one file of the published per-phrase scores to its place, downloaded or linked."""

import json

from clip_grounding.downloads.files import download
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
download([json.loads(snakemake.params.spec)["url"]], snakemake.output.file)
