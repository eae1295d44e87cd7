"""One finished run on twelve rendered scenes, shared by the tests that look at it."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import save_checkpoint
from filelock import FileLock
from workflows import Run, copy_run

from clip_grounding.scenes.archive import write_dataset


def tiny_config(checkpoint) -> dict:
    """Settings of a run on twelve scenes in three shards, with a given checkpoint folder."""
    return {
        "dataset": "tiny",
        "datasets": {
            "tiny": {"kind": "scenes", "image_count": 12, "seed": 9, "models": ["random-clip"]}
        },
        "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        "images_per_shard": 5,
        "bootstrap": {"resamples": 200},
        "figures": {"examples": 2},
        "gallery": {"items": 20},
        "evidence": {"images": 0},
        "gates": {"images": 0},
    }


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id) -> Path:
    """A folder that the processes of a parallel test run have in common."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def made_once(shared, name):
    """Give the path of something shared, and whether it is still to be made in this block."""
    done = shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        yield shared / name, not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def checkpoint(shared):
    """A CLIP with random weights whose tokenizer knows the words of rendered scenes."""
    with made_once(shared, "model") as (folder, to_be_made):
        if to_be_made:
            folder.mkdir()
            files = [folder / name for name in ("images.zip", "panoptic.zip", "narratives.json")]
            write_dataset(*files, image_count=30, seed=1, split="scenes")
            save_checkpoint(folder / "clip", [files[2].read_text().replace('"', " ")])
    return folder / "clip"


@pytest.fixture(scope="session")
def finished(shared, tmp_path_factory, checkpoint) -> Run:
    """A complete run: made once, and copied for each process."""
    with made_once(shared, "run") as (folder, to_be_made):
        run = Run(folder, tiny_config(checkpoint))
        if to_be_made:
            folder.mkdir()
            run.snakemake()
    return copy_run(run, tmp_path_factory.mktemp("run") / "copy")


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Six scenes in the published formats, as a server would have them."""
    folder = tmp_path_factory.mktemp("server")
    files = [folder / name for name in ("images.zip", "panoptic.zip", "narratives.json")]
    write_dataset(*files, image_count=6, seed=4, split="scenes")
    return {f"/{path.name}": path.read_bytes() for path in files}
