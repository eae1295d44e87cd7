"""One finished run on twelve rendered scenes, shared by the tests that look at it."""

import pytest
from builders import save_checkpoint
from workflows import Run

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
    }


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A CLIP with random weights whose tokenizer knows the words of rendered scenes."""
    folder = tmp_path_factory.mktemp("model")
    files = [folder / name for name in ("images.zip", "panoptic.zip", "narratives.json")]
    write_dataset(*files, image_count=30, seed=1, split="scenes")
    return save_checkpoint(folder / "clip", [files[2].read_text().replace('"', " ")])


@pytest.fixture(scope="session")
def finished(tmp_path_factory, checkpoint) -> Run:
    """A complete run."""
    run = Run(tmp_path_factory.mktemp("run"), tiny_config(checkpoint))
    run.snakemake()
    return run


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Six scenes in the published formats, as a server would have them."""
    folder = tmp_path_factory.mktemp("server")
    files = [folder / name for name in ("images.zip", "panoptic.zip", "narratives.json")]
    write_dataset(*files, image_count=6, seed=4, split="scenes")
    return {f"/{path.name}": path.read_bytes() for path in files}
