"""What CLIP's maps are compared with: chance, a centre prior, and another phrase's map.

Everything random is drawn per phrase from (seed, narrative, phrase), so a shard's content
never depends on which other shards ran.
"""

from enum import IntEnum

import numpy as np
import pandas as pd


class Draw(IntEnum):
    """What is drawn: each has random numbers of its own."""

    PIXELS = 0
    CELLS = 1
    PARTNER = 2


def phrase_generator(
    seed: int, narrative: int, phrase: int, draw: Draw = Draw.PIXELS
) -> np.random.Generator:
    """Random generator of one phrase for one purpose."""
    return np.random.default_rng([seed, narrative, phrase, draw])


def random_map(
    shape: int | tuple[int, ...], seed: int, narrative: int, phrase: int, draw: Draw
) -> np.ndarray:
    """U(0, 1) per value (pixel, patch or token), float32."""
    return phrase_generator(seed, narrative, phrase, draw).random(shape, dtype=np.float32)


def center_map(rows: int, columns: int) -> np.ndarray:
    """Gaussian at the middle of the padded square, its deviation a quarter of the side.

    Returns
    -------
    ndarray of float32, shape (rows, columns)
    """
    sides = [(np.arange(n) + 0.5) / n - 0.5 for n in (rows, columns)]
    vertical, horizontal = (np.exp(-((side / 0.25) ** 2) / 2) for side in sides)
    return np.outer(vertical, horizontal).astype(np.float32)


def choose_mismatched(phrases: pd.DataFrame, seed: int) -> np.ndarray:
    """Choose for each phrase another one whose region is disjoint from its own.

    Parameters
    ----------
    phrases : DataFrame
        The candidates: the phrases of one image, or of one narrative.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n_phrases,)
        Row number of the other phrase, drawn uniformly; −1 where there is none.
    """
    # Segments of a panoptic image never overlap: regions are disjoint if they share none.
    segments = [frozenset(ids) for ids in phrases["segment_ids"]]
    chosen = np.full(len(phrases), -1)
    for i, (row, own) in enumerate(zip(phrases.itertuples(), segments, strict=True)):
        others = [j for j, other in enumerate(segments) if own.isdisjoint(other)]
        if others:
            generator = phrase_generator(seed, row.narrative, row.phrase, Draw.PARTNER)
            chosen[i] = others[generator.integers(len(others))]
    return chosen
