"""Extracted folders as images: read in place, by content, wherever they lie."""

import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from workflows import Run, png_config

from clip_grounding.tables import read_table

pytestmark = pytest.mark.workflow

MAPS = "results/small-png/relevance/random-clip/gradient-attention/text_to_image/0000.parquet"


def test_a_folder_gives_the_maps_of_the_zip_and_reruns_by_content(published, checkpoint, tmp_path):
    study = tmp_path / "study"
    (study / "files").mkdir(parents=True)
    for name, body in published.items():
        (study / f"files{name}").write_bytes(body)
    Run(study, png_config("files", checkpoint)).snakemake(MAPS)

    with zipfile.ZipFile(study / "files/images.zip") as archive:
        archive.extractall(tmp_path / "extracted")

    def settings(folder, **more):
        images = {"url": str(tmp_path / folder), **more}
        return png_config(study / "files", checkpoint, images=images)

    run = Run(tmp_path / "in-place", settings("extracted"))
    run.folder.mkdir()
    run.snakemake(MAPS)
    maps = [np.stack(read_table(folder / MAPS)["relevance"]) for folder in (study, run.folder)]
    np.testing.assert_array_equal(*maps)
    assert run.planned(MAPS) == {}

    shutil.copytree(tmp_path / "extracted", tmp_path / "moved", copy_function=shutil.copyfile)
    shutil.rmtree(tmp_path / "extracted")
    moved = replace(run, config=settings("moved/scenes"))
    assert moved.planned(MAPS) == {}

    picture = sorted((tmp_path / "moved/scenes").iterdir())[0]
    width, height = Image.open(picture).size
    Image.new("RGB", (width + 1, height)).save(picture)
    assert moved.planned(MAPS) == {"list_images": 1, "compute_relevance": 1}
    done = moved.snakemake(MAPS, check=False)
    assert done.returncode != 0
    assert (
        f"{picture.name}: is {width + 1}×{height}, its record says {width}×{height}" in done.stdout
    )

    sized = replace(run, config=settings("moved/scenes", size=5))
    done = sized.snakemake("--dry-run", MAPS, check=False)
    assert "is a folder, but size and sha256 are of a file: remove them" in done.stdout
