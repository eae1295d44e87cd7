"""Local sources and checkpoints: another content reruns, another place does not."""

import os
import shutil
from dataclasses import replace

import pytest
from workflows import Run, png_config

pytestmark = pytest.mark.workflow

TARGETS = (
    "results/small-png/masks/0000.parquet",
    "results/small-png/relevance/random-clip/gradient-attention/text_to_image/0000.parquet",
)
READ_ALL = {"index_phrases": 1, "rasterize_masks": 1, "compute_relevance": 1}


@pytest.fixture
def sources(published, checkpoint, tmp_path):
    """A run on sources that lie beside its settings, both of their paths relative."""
    study = tmp_path / "study"
    (study / "files").mkdir(parents=True)
    for name, body in published.items():
        path = study / f"files{name}"
        path.write_bytes(body)
        os.utime(path, (10**9, 10**9))
    shutil.copytree(checkpoint, study / "clip")
    run = Run(study, png_config("files", "./clip"))
    run.snakemake(*TARGETS)
    assert run.planned(*TARGETS) == {}
    return run


def test_what_changes_is_the_content(sources, tmp_path):
    path = sources / "files/narratives.json"
    status, text = path.stat(), path.read_text()
    assert '"In' in text or '"in' in text
    path.write_text(text + " ")
    os.utime(path, (10**8, 10**8))
    changed = {"download_source": 1, **READ_ALL}
    assert sources.planned(*TARGETS) == changed
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sources.planned(*TARGETS) == {}

    shutil.move(sources / "files", tmp_path / "elsewhere")
    shutil.move(sources / "clip", tmp_path / "models")
    done = sources.snakemake("--dry-run", *TARGETS, check=False)
    assert done.returncode != 0
    for key in ("images.url", "panoptic.url", "narratives.url"):
        assert f"datasets.small-png.{key}: files/" in done.stdout
    assert "models.random-clip.checkpoint: ./clip does not exist" in done.stdout

    moved = png_config(str(tmp_path / "elsewhere"), tmp_path / "models")
    run = replace(sources, config=moved)
    assert run.planned(*TARGETS) == {}
    assert (run / "data/small-png/images.zip").samefile(tmp_path / "elsewhere/images.zip")
    weights = run / "data/models/random-clip/model.safetensors"
    assert weights.samefile(tmp_path / "models/model.safetensors")

    moved["datasets"]["small-png"]["image_count"] = 5
    done = run.snakemake("--dry-run", *TARGETS, config=moved, check=False)
    assert "datasets.small-png.image_count: 5 given, but" in done.stdout
    assert "lists 6 images: set it to 6" in done.stdout
