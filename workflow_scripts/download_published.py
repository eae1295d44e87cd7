"""Bring one file of the published per-phrase scores to its place, downloaded or linked."""

from pathlib import Path

from clip_grounding.downloads.files import download
from clip_grounding.logs import start_log

start_log(snakemake.log[0])
folder = snakemake.config["published_metrics"].rstrip("/")
download([f"{folder}/{Path(snakemake.output.file).name}"], snakemake.output.file)
