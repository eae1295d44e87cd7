"""Load a model twice, as it is and to be randomised, and measure the gates of an attribution."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from clip_grounding.datasets.archives import open_images
from clip_grounding.gates.measure import measure_gates
from clip_grounding.gates.passes import Passes
from clip_grounding.models.loading import load_model, load_stock, open_model
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.models.towers import with_precision
from clip_grounding.relevance.batches import MemoryFit
from clip_grounding.relevance.devices import reserve_device
from clip_grounding.relevance.job import Explainer


def run_gates(
    direction: str,
    attribute: Callable[..., torch.Tensor],
    checkpoint: Path,
    images: list[str],
    split: str,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame | None,
    relevance: pd.DataFrame,
    device: str,
    precision: str,
    batch_size: int,
    threads: int,
    **settings,
) -> pd.DataFrame:
    """Load what a job needs and measure; see `measure.measure_gates` for the rest.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    attribute : callable
        The attribution function, its parameters bound.
    checkpoint : Path
        Folder of the model.
    images : list of str
        The zips of the shards' images, or the list of those in a folder.
    split : str
        Folder of the images in those zips.
    masks : DataFrame or None
        The regions of the drawn images, of ``image_to_text``.
    device : {"auto", "cpu", "cuda"}
    precision : {"float32", "bfloat16", "float16"}
        That of the maps.
    batch_size : int
        Images, or texts, per forward pass; fewer where they do not fit into memory.
    threads : int
        CPU threads, for torch and for preparing images.
    **settings
        Further arguments of `measure_gates`.
    """
    torch.set_num_threads(threads)
    with reserve_device(device) as own, open_images(images, split) as archive:
        print(f"device {own}, {threads} threads, batch size {batch_size}", flush=True)
        tokenizer = TextTokenizer(checkpoint)
        explainer = Explainer(
            load_model(checkpoint, own, precision),
            tokenizer,
            ImagePreprocessor(checkpoint),
            attribute,
            MemoryFit(batch_size),
            threads,
        )
        stock = load_stock(checkpoint, own)
        clip = open_model(stock, tokenizer.end_of_text, tokenizer.padding)
        randomisable = replace(explainer, clip=with_precision(clip, explainer.clip.image.precision))
        passes = Passes(direction, masks, archive.pixels)
        return measure_gates(
            passes, explainer, stock, randomisable, narratives, phrases, relevance, **settings
        )
