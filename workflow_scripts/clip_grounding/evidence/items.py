"""Prepare a shard's items, images or captions, as sequences to take tokens out of.

An item has the targets that it is compared with: the texts of an image's phrases, or the
region images of a caption's phrases; each distinct one is embedded once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from clip_grounding.evidence.passes import Sequence
from clip_grounding.evidence.patches import Rectangle, content_rectangle
from clip_grounding.evidence.words import number_words
from clip_grounding.models.towers import Tower
from clip_grounding.regions import decode_region
from clip_grounding.relevance.job import Explainer

UNIMODAL = 0
"""The uninformative target of an item: the empty text, or a black image."""

ReadImage = Callable[[str, int, int], np.ndarray]


@dataclass(frozen=True)
class Item:
    """An image or a caption with its phrases.

    Attributes
    ----------
    number : int
        The image's id, or the caption's narrative: seeds the item's random numbers.
    phrases : DataFrame
        Rows of ``phrases.parquet``.
    sequence : Sequence
        Its content tokens are the image's content patches, row by row, or the caption's words.
    units : ndarray of int64, shape (n_values,)
        For every value of a relevance map of the item, patch or word token, the unit that it
        belongs to: a content patch, or a word. −1 for patches of the padding.
    targets : Tensor, shape (n_targets, width)
        Distinct unit embeddings, the first `UNIMODAL`.
    own_targets : ndarray of int64, shape (n_phrases,)
        The target of each phrase.
    rectangle : Rectangle or None
        The content patches of an image.
    """

    number: int
    phrases: pd.DataFrame
    sequence: Sequence
    units: np.ndarray
    targets: Tensor
    own_targets: np.ndarray
    rectangle: Rectangle | None

    @property
    def n_units(self) -> int:
        """How many patches or words can be taken out."""
        return int(self.units.max(initial=-1)) + 1

    def keep_units(self, sets: np.ndarray) -> np.ndarray:
        """Turn sets of units, bool (n_sets, n_units), into sets of content tokens."""
        return sets[:, self.units[self.units >= 0]]

    def cosines(self, embeddings: Tensor) -> np.ndarray:
        """Compute cosines × 100 of the item's embeddings with its targets, (n, n_targets)."""
        return 100 * (embeddings @ self.targets.T).numpy(force=True)


def each_batch(
    direction: str,
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: ReadImage,
) -> tuple[Tower, Iterator[list[Item]]]:
    """Return the tower whose tokens are taken out in a direction, and the shard's items."""
    if direction == "text_to_image":
        return explainer.clip.image, each_image_batch(explainer, narratives, phrases, read_image)
    return explainer.clip.text, each_caption_batch(
        explainer, narratives, phrases, masks, read_image
    )


def each_image_batch(
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    read_image: ReadImage,
) -> Iterator[list[Item]]:
    """Read the images that have phrases, batch by batch, for ``text_to_image``.

    Parameters
    ----------
    explainer : Explainer
    narratives, phrases : DataFrame
        Rows of ``narratives.parquet`` and ``phrases.parquet`` of a shard.
    read_image : callable
        Takes file name, height and width; returns uint8 RGB of shape (height, width, 3).
    """
    clip = explainer.clip
    texts = explainer.embed_texts(["", *phrases["utterance"]])
    images = narratives.groupby("image_id")[["file_name", "height", "width"]].first()

    def prepare(image: tuple) -> tuple[np.ndarray, Rectangle]:
        pixels = read_image(*images.loc[image[0]])
        rectangle = content_rectangle(*pixels.shape[:2], clip.grid, explainer.preprocess.view)
        return explainer.preprocess(pixels), rectangle

    for batch, prepared in explainer.prepare(_progress(phrases), prepare):
        sequences = _embed_inputs(
            explainer, clip.image, [pixels for pixels, _ in prepared], explainer._stack
        )
        items = []
        for (image_id, own), (_, rectangle), whole in zip(batch, prepared, sequences, strict=True):
            units = np.full(clip.grid, -1)
            rectangle.crop(units)[:] = np.arange(np.prod(rectangle.shape)).reshape(rectangle.shape)
            units = units.ravel()
            sequence = Sequence(whole.hidden, whole.row, whole.content[units >= 0])
            distinct = list(dict.fromkeys(["", *own["utterance"]]))
            targets = torch.stack([texts[text] for text in distinct])
            own_targets = np.array([distinct.index(text) for text in own["utterance"]])
            items.append(Item(image_id, own, sequence, units, targets, own_targets, rectangle))
        yield items


def each_caption_batch(
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: ReadImage,
) -> Iterator[list[Item]]:
    """Read the captions that have phrases, batch by batch, for ``image_to_text``.

    Arguments as for `each_image_batch`; `masks` are the shard's distinct regions. The image of a
    region is black outside it.
    """
    clip = explainer.clip
    black = np.zeros((2, 2, 3), np.uint8)  # black at every size
    (unimodal,) = explainer.embed_images([explainer.preprocess(black)])
    counts = masks.set_index(["image_id", "mask"])[["height", "width", "counts"]]
    images = narratives.groupby("image_id")[["file_name", "height", "width"]].first()
    texts = narratives.set_index("narrative")["text"]

    def prepare(image: tuple) -> dict[int, np.ndarray]:
        image_id, own = image
        pixels, regions = read_image(*images.loc[image_id]), {}
        for mask in sorted(set(own["mask"])):
            region = decode_region(*counts.loc[(image_id, mask)], f"image {image_id}, mask {mask}")
            regions[mask] = explainer.preprocess(pixels * region[..., None])
        return regions

    for batch, prepared in explainer.prepare(_progress(phrases), prepare):
        regions = explainer.embed_images([own for regions in prepared for own in regions.values()])
        keys = [
            (image_id, mask)
            for (image_id, _), own in zip(batch, prepared, strict=True)
            for mask in own
        ]
        embeddings = dict(zip(keys, regions, strict=True))
        captions = [own for _, image in batch for own in image.groupby("narrative")]
        tokens = [explainer.tokenizer(texts[narrative]) for narrative, _ in captions]
        sequences = _embed_inputs(explainer, clip.text, [own.ids for own in tokens], explainer._ids)
        items = []
        for (narrative, own), words, whole in zip(captions, tokens, sequences, strict=True):
            distinct = list(dict.fromkeys(own["mask"]))
            image_id = own["image_id"].iloc[0]
            targets = [unimodal, *(embeddings[image_id, mask] for mask in distinct)]
            own_targets = np.array([1 + distinct.index(mask) for mask in own["mask"]])
            units = number_words(texts[narrative], words.starts)
            items.append(
                Item(narrative, own, whole, units, torch.stack(targets), own_targets, None)
            )
        yield items


def _progress(phrases: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the images that have phrases, in image-id order, with a progress bar."""
    return tqdm(phrases.groupby("image_id"), unit="image", mininterval=1)


@torch.no_grad()
def _embed_inputs(
    explainer: Explainer, tower: Tower, inputs: list[np.ndarray], stack: Callable
) -> list[Sequence]:
    """Compute the first block's input of each image or text, with all of its content."""

    def embed(batch: list[np.ndarray]) -> list[Sequence]:
        stacked = stack(batch)
        rows = tower.pooled_rows(stacked).tolist()
        content = [np.flatnonzero(own) for own in tower.content(stacked).numpy(force=True)]
        # No token sees what follows the end of a causal text.
        lengths = [len(own) if tower.causal else None for own in batch]
        return [
            Sequence(own[:length], row, places)
            for own, length, row, places in zip(
                tower.embed(stacked), lengths, rows, content, strict=True
            )
        ]

    return explainer.fit.run(embed, inputs)
