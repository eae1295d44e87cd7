"""Measure the similarities of a shard's phrases under random subsets of each item's units.

They do not depend on a map, so they are computed once per model and direction and serve every
attribution method.
"""

from collections.abc import Iterator
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from clip_grounding.evidence.columns import SIMILARITIES
from clip_grounding.evidence.draws import Draw, item_generator
from clip_grounding.evidence.items import Item, ReadImage, each_batch
from clip_grounding.evidence.passes import embed_sets
from clip_grounding.evidence.sets import distinct_sets, pack_sets
from clip_grounding.relevance.job import Explainer

N_SUBSETS = 256

_KEPT = 10, 7
"""Of ten units, a subset keeps seven."""


def measure_similarities(
    direction: str,
    explainer: Explainer,
    narratives: pd.DataFrame,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    read_image: ReadImage,
    seed: int,
    n_subsets: int = N_SUBSETS,
) -> Iterator[pd.DataFrame]:
    """Measure each phrase's similarity to its item, whole and in subsets of one size.

    Parameters
    ----------
    direction : {"text_to_image", "image_to_text"}
        Whether the items are images or captions.
    explainer : Explainer
        The model.
    narratives, phrases, masks : DataFrame
        Rows of the shard; of `phrases` those that were drawn.
    read_image : callable
        Takes file name, height and width; returns uint8 RGB of shape (height, width, 3).
    seed : int
        Draws the subsets, together with the item.
    n_subsets : int
        The largest number of subsets of an item.

    Yields
    ------
    DataFrame
        Rows of `columns.SIMILARITIES`, some images' at a time.
    """
    tower, batches = each_batch(direction, explainer, narratives, phrases, masks, read_image)
    for batch in batches:
        subsets = [
            draw_subsets(item.n_units, n_subsets, item_generator(seed, Draw.SUBSETS, item.number))
            for item in batch
        ]
        sets = [
            item.keep_units(np.concatenate([np.ones((1, item.n_units), bool), own]))
            for item, own in zip(batch, subsets, strict=True)
        ]
        embeddings = embed_sets(tower, explainer.fit, [item.sequence for item in batch], sets)
        rows = []
        for item, own, embedded in zip(batch, subsets, embeddings, strict=True):
            rows += _item_rows(item, own, item.cosines(embedded))
        yield pd.DataFrame(rows, columns=SIMILARITIES.names)


def draw_subsets(n_units: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw distinct subsets of one size, ⌊0.7 N + ½⌋ of N units, in random order.

    Returns
    -------
    ndarray of bool, shape (n, n_units)
        Fewer than `count` where there are no more.
    """
    whole, part = _KEPT
    size = (2 * part * n_units + whole) // (2 * whole)
    if comb(n_units, size) <= count:
        members = list(combinations(range(n_units), size))
        return _mark(generator.permutation(np.array(members, int).reshape(-1, size)), n_units)
    subsets = np.zeros((0, n_units), bool)
    while len(subsets) < count:
        drawn = generator.random((count, n_units)).argsort(axis=1)[:, :size]
        subsets = np.concatenate([subsets, _mark(drawn, n_units)])
        _, which = distinct_sets(subsets)
        _, first = np.unique(which, return_index=True)
        subsets = subsets[np.sort(first)]
    return subsets[:count]


def _mark(members: np.ndarray, n_units: int) -> np.ndarray:
    """Turn rows of members into rows of bool, (n, n_units)."""
    marked = np.zeros((len(members), n_units), bool)
    np.put_along_axis(marked, members, True, axis=1)
    return marked


def _item_rows(item: Item, subsets: np.ndarray, cosines: np.ndarray) -> list[tuple]:
    """Return the rows of an item's phrases, from the cosines of the whole and of the subsets."""
    packed, units = pack_sets(subsets), item.units.astype(np.int16)
    values = np.ascontiguousarray(cosines.T, dtype=np.float32)
    return [
        (
            *(phrase.narrative, phrase.phrase, phrase.image_id),
            *(values[target, 0], values[target, 1:], units, packed),
        )
        for phrase, target in zip(item.phrases.itertuples(), item.own_targets, strict=True)
    ]
