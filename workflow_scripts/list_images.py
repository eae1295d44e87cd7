"""List the images of a folder: their names and digests out."""

from pathlib import Path

from clip_grounding.datasets.folders import digest_images, image_root, link_folder, write_list
from clip_grounding.workflow.job import start_job

job = start_job(snakemake)
path, split = snakemake.output.list, job.spec["split"]
folder = snakemake.config["datasets"][snakemake.wildcards.dataset]["images"]["url"][0]
link_folder(path, image_root(folder, split))
write_list(path, digest_images(folder, split, Path("data/.digests.json")))
job.finish()
