"""What CLIP's maps are compared with: chance, a centre prior, and another phrase's map.

Everything random is drawn per phrase from (seed, narrative, phrase), so a shard's content
never depends on which other shards ran.
"""

import re
import unicodedata
from enum import IntEnum

import numpy as np
import pandas as pd

NO_DISJOINT_PHRASE = "no_disjoint_phrase"
"""Why ``mismatched`` leaves a phrase out: no other one names a region disjoint from its own."""

NO_OTHER_TEXT = "no_other_text"
"""Why ``mismatched`` leaves a phrase out: those that do are of the same text."""


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


def choose_partners(phrases: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose for each phrase another one of another text whose region is disjoint from its own.

    Parameters
    ----------
    phrases : DataFrame
        The candidates: the phrases of one image, or of one narrative.
    seed : int

    Returns
    -------
    chosen : ndarray of int64, shape (n_phrases,)
        Row number of the other phrase, drawn uniformly; −1 where there is none.
    reasons : ndarray of object, shape (n_phrases,)
        Why there is none, `NO_DISJOINT_PHRASE` or `NO_OTHER_TEXT`; None where there is one.
    """
    # Segments of a panoptic image never overlap: regions are disjoint if they share none.
    segments = [frozenset(ids) for ids in phrases["segment_ids"]]
    texts = [normalize_text(text) for text in phrases["utterance"]]
    chosen = np.full(len(phrases), -1)
    reasons = np.full(len(phrases), None, dtype=object)
    for i, row in enumerate(phrases.itertuples()):
        disjoint = [j for j, other in enumerate(segments) if segments[i].isdisjoint(other)]
        others = [j for j in disjoint if texts[j] and texts[j] != texts[i]]  # blank: no prompt
        if others:
            generator = phrase_generator(seed, row.narrative, row.phrase, Draw.PARTNER)
            chosen[i] = others[generator.integers(len(others))]
        else:
            reasons[i] = NO_OTHER_TEXT if disjoint else NO_DISJOINT_PHRASE
    return chosen, reasons


def normalize_text(text: str) -> str:
    """Reduce a phrase to what every model's tokenizer reads of it at most: its words.

    Case, spaces and the way in which a character is composed make no difference to any
    tokenizer, and punctuation none to SigLIP's. Comparing the words, not one model's tokens,
    keeps a phrase's partner the same for every model.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded)) or " ".join(folded.split())
