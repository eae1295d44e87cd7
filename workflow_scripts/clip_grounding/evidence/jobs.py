"""Load what the evidence jobs share: the model, and the maps to measure."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import torch

from clip_grounding.datasets.archives import open_images
from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.relevance.batches import MemoryFit
from clip_grounding.relevance.devices import reserve_device
from clip_grounding.relevance.job import Explainer


def run_measurement(
    measure: Callable[..., Iterator[pd.DataFrame]],
    direction: str,
    checkpoint: Path,
    images: str | Path,
    split: str,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    device: str,
    batch_size: int,
    threads: int,
    **settings,
) -> Iterator[pd.DataFrame]:
    """Load a model in float32 and measure with it.

    Differences of similarities are small: they would be lost in half precision.

    Parameters
    ----------
    measure : callable
        `effects.measure_effects`, `subsets.measure_similarities` or `removal.measure_removal`.
    direction : {"text_to_image", "image_to_text"}
    checkpoint : Path
        Folder of the model.
    images : str or Path
        The zip of the shard's images, or the list of those in a folder.
    split : str
        Folder of the images in that zip.
    narratives, phrases, masks : DataFrame
        Rows of the shard; of `phrases` those that were drawn.
    device : {"auto", "cpu", "cuda"}
    batch_size : int
        Images, or texts, per forward pass; fewer where they do not fit into memory.
    threads : int
        CPU threads, for torch and for preparing images.
    **settings
        Further arguments of `measure`.
    """
    if phrases.empty:  # no image of the shard was drawn
        return
    torch.set_num_threads(threads)
    with reserve_device(device) as own, open_images(images, split) as archive:
        print(f"device {own}, {threads} threads, batch size {batch_size}", flush=True)
        explainer = Explainer(
            load_model(checkpoint, own),
            TextTokenizer(checkpoint),
            ImagePreprocessor(checkpoint),
            _explain_nothing,
            MemoryFit(batch_size),
            threads,
        )
        yield from measure(
            direction, explainer, narratives, phrases, masks, archive.pixels, **settings
        )


def _explain_nothing(*arguments) -> torch.Tensor:
    raise AssertionError("evidence takes maps from tables")
