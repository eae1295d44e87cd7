"""Choose the phrases that a gate is measured on, and the randomised model of each item."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import pandas as pd

from clip_grounding.evidence.maps import FEWEST_UNITS, WITHIN
from clip_grounding.evidence.patches import content_rectangle
from clip_grounding.evidence.words import number_words
from clip_grounding.models.tokenizer import Tokens
from clip_grounding.relevance.job import Explainer
from clip_grounding.scoring.draws import choose_partners

PHRASES = 3
"""Phrases of an item: more of them say little, as those of one image are alike."""

Key = tuple[int, int]
"""Narrative and phrase."""


class Draw(IntEnum):
    """Purposes of draws, each with a separate stream of random numbers."""

    PHRASES = 0
    VECTORS = 1
    OTHERS = 2
    PART = 3


@dataclass(frozen=True)
class Item:
    """An image or a caption with the phrases that it is explained for.

    Attributes
    ----------
    number : int
        The image's id, or the caption's narrative.
    image_id : int
    file : tuple of (str, int, int)
        The image's file name, height and width.
    phrases : DataFrame
        Rows of ``phrases.parquet``, at most `PHRASES`.
    partners : dict of Key to Key
        The phrase whose prompt is the mismatched one, of those that have one.
    units : ndarray of int64, shape (n_values,)
        The unit of every value of a map, content patch or word; −1 for padding.
    shape : tuple of int
        Items of equal shape have units at the same places; of captions, the first ones are.
    tokens : Tokens or None
        Of a caption.
    """

    number: int
    image_id: int
    file: tuple[str, int, int]
    phrases: pd.DataFrame
    partners: dict[Key, Key]
    units: np.ndarray
    shape: tuple[int, ...]
    tokens: Tokens | None

    @cached_property
    def keys(self) -> list[Key]:
        """The phrases' keys."""
        return list(zip(self.phrases["narrative"], self.phrases["phrase"], strict=True))


def item_generator(seed: int, draw: Draw, *numbers: int) -> np.random.Generator:
    """Return the random generator of an item, identified by `numbers`, for one purpose."""
    # No other room draws with a spawn key of two parts.
    return np.random.default_rng(np.random.SeedSequence((seed, *numbers), spawn_key=(17, draw)))


def list_items(
    direction: str,
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    seed: int,
) -> list[Item]:
    """List the items of the drawn phrases, those of like shape one after the other.

    Phrases of which the model reads no word, and items of fewer units than maps can rank, are left
    out.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
    explainer : Explainer
    narratives, phrases : DataFrame
        The dataset's narratives, and the drawn phrases.
    seed : int
        Draws the phrases of an item, and the mismatched ones.
    """
    records = narratives.set_index("narrative")
    items = []
    for number, own in phrases.groupby(WITHIN[direction]):
        record = records.loc[own["narrative"].iloc[0]]
        file = str(record["file_name"]), int(record["height"]), int(record["width"])
        image_id, tokens = int(own["image_id"].iloc[0]), None
        if direction == "text_to_image":
            grid = explainer.clip.grid
            rectangle = content_rectangle(*file[1:], grid, explainer.preprocess.view)
            places = np.full(grid, -1)
            content = rectangle.crop(places)
            content[:] = np.arange(content.size).reshape(content.shape)
            units, shape = places.ravel(), tuple(rectangle)
        else:
            tokens = explainer.tokenizer(record["text"])
            units = number_words(record["text"], tokens.starts)
            shape = (int(units.max(initial=-1)) + 1,)
        if units.max(initial=-1) + 1 < FEWEST_UNITS:
            continue
        chosen = _choose_phrases(direction, explainer, own, seed)
        if chosen.empty:
            continue
        partners = _choose_partners(own, seed)
        items.append(Item(int(number), image_id, file, chosen, partners, units, shape, tokens))
    return sorted(items, key=lambda item: (item.shape, item.number))


def assign_models(n_items: int, n_models: int) -> np.ndarray:
    """Return the randomised model of each item: neighbours, which are of like shape, share it."""
    return np.arange(n_items) * n_models // max(1, n_items)


def draw_part(items: list[Item], count: int, seed: int) -> list[Item]:
    """Draw at most `count` images by a hash of the seed and their ids; return their items.

    The fewer are among the more.
    """
    images = sorted({item.image_id for item in items})
    places = [item_generator(seed, Draw.PART, image).random() for image in images]
    drawn = {images[position] for position in np.argsort(places)[:count]}
    return [item for item in items if item.image_id in drawn]


def _choose_phrases(
    direction: str, explainer: Explainer, own: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Draw phrases of an item with distinct prompts that the model reads."""
    if direction == "text_to_image":
        own = own[[bool(explainer.tokenizer.words(text)) for text in own["utterance"]]]
    own = own.drop_duplicates("utterance" if direction == "text_to_image" else "mask")
    keys = zip(own["narrative"], own["phrase"], strict=True)
    places = [item_generator(seed, Draw.PHRASES, *map(int, key)).random() for key in keys]
    return own.iloc[np.argsort(places, kind="stable")[:PHRASES]]


def _choose_partners(own: pd.DataFrame, seed: int) -> dict[Key, Key]:
    chosen, _ = choose_partners(own, seed)
    keys = list(zip(own["narrative"], own["phrase"], strict=True))
    return {
        key: keys[partner]
        for key, partner in zip(keys, chosen.tolist(), strict=True)
        if partner >= 0
    }
