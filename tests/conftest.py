"""A small dataset and a model with random weights, made once for the tests that need them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from builders import save_checkpoint
from pycocotools import mask as coco_mask

from clip_grounding.datasets.archives import open_images
from clip_grounding.datasets.index import index_phrases
from clip_grounding.datasets.masks import rasterize_masks
from clip_grounding.relevance.job import compute_relevance
from clip_grounding.scenes.archive import write_dataset

torch.set_num_threads(1)  # models this small are faster without the threads' waiting

LONGEST_FIRST = ("slurm", "workflow", "browser")


def pytest_collection_modifyitems(items):
    """Start with the files that take longest, so that no process ends up waiting for them."""
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in LONGEST_FIRST])


@dataclass(frozen=True)
class Small:
    """Ten rendered scenes, their tables, and a checkpoint folder."""

    folder: Path
    checkpoint: Path
    narratives: pd.DataFrame
    phrases: pd.DataFrame
    masks: pd.DataFrame

    def relevance(self, direction, layers="last", batch_size=4, checkpoint=None, attribution=None):
        """All relevance maps of one direction; of gradient attention if no other is named."""
        frames = compute_relevance(
            direction=direction,
            attribution=attribution or {"kind": "gradient_attention", "layers": layers},
            checkpoint=checkpoint or self.checkpoint,
            images=self.folder / "images.zip",
            split="scenes",
            narratives=self.narratives,
            phrases=self.phrases,
            masks=self.masks,
            device="cpu",
            precision="float32",
            batch_size=batch_size,
            threads=1,
        )
        return pd.concat(frames, ignore_index=True)

    def open_images(self):
        """The archive of the scenes' images, to be closed."""
        return open_images(self.folder / "images.zip", "scenes")

    def inputs(self, phrase, direction, prompt):
        """Image and text of a phrase's map, spelled out as the protocol says."""
        narrative = self.narratives.set_index("narrative").loc[phrase.narrative]
        with self.open_images() as images:
            pixels = images.pixels(*narrative[["file_name", "height", "width"]])
        if direction == "text_to_image":
            return pixels, phrase.utterance if prompt == "matched" else ""
        if prompt == "unimodal":
            return np.zeros_like(pixels), narrative["text"]
        record = self.masks.set_index(["image_id", "mask"]).loc[phrase.image_id, phrase.mask]
        size = [record["height"], record["width"]]
        region = coco_mask.decode({"size": size, "counts": record["counts"]})
        return pixels * region[..., None], narrative["text"]


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Small:
    folder = tmp_path_factory.mktemp("small")
    files = {
        "images": folder / "images.zip",
        "panoptic": folder / "panoptic.zip",
        "narratives": folder / "narratives.json",
    }
    write_dataset(**files, image_count=10, seed=3, split="scenes")
    narratives, phrases = index_phrases(
        files["narratives"], files["panoptic"], split="scenes", image_count=10
    )
    masks = rasterize_masks(narratives, phrases, files["panoptic"], "scenes")
    checkpoint = save_checkpoint(folder / "checkpoint", narratives["text"])
    return Small(folder, checkpoint, narratives, phrases, pd.concat(masks, ignore_index=True))
