"""What CLIP's maps are compared with: chance, a centre prior, and another phrase's map.

Everything random is drawn per phrase from (seed, narrative, phrase), so a shard's content
never depends on which other shards ran.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import IntEnum

import numpy as np
import pandas as pd

_NONE = np.empty(0, dtype=np.int64)

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
    n_phrases = len(phrases)
    numbers: dict[str, int] = {"": 0}
    texts = np.array(
        [numbers.setdefault(normalize_text(text), len(numbers)) for text in phrases["utterance"]],
        dtype=np.int64,
    )
    chosen = np.full(n_phrases, -1)
    reasons = np.full(n_phrases, None, dtype=object)
    keys = phrases[["narrative", "phrase"]].to_numpy()
    for own, disjoint in _disjoint_phrases(phrases["segment_ids"]):
        lenders = disjoint[texts[disjoint] > 0]  # a blank phrase has no prompt
        said = _positions_by_value(texts[lenders])
        for i in own:
            same = said.get(texts[i], _NONE)
            n_others = len(lenders) - len(same)
            if n_others:
                narrative, phrase = keys[i]
                generator = phrase_generator(seed, narrative, phrase, Draw.PARTNER)
                chosen[i] = lenders[_skip(same, int(generator.integers(n_others)))]
            else:
                reasons[i] = NO_OTHER_TEXT if len(disjoint) else NO_DISJOINT_PHRASE
    return chosen, reasons


def _disjoint_phrases(segment_ids: Iterable) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield phrases of one region, and those whose region is disjoint from it, by row number.

    Segments of a panoptic image never overlap: regions are disjoint if they share none.
    """
    rows_of: dict[frozenset, list[int]] = {}
    for i, ids in enumerate(segment_ids):
        rows_of.setdefault(frozenset(ids), []).append(i)
    with_segment: dict[int, list[int]] = {}
    for segments, own in rows_of.items():
        for segment in segments:
            with_segment.setdefault(segment, []).extend(own)
    n_phrases = sum(map(len, rows_of.values()))
    for segments, own in rows_of.items():
        is_disjoint = np.ones(n_phrases, dtype=bool)
        for segment in segments:
            is_disjoint[with_segment[segment]] = False
        yield own, np.flatnonzero(is_disjoint)


def _positions_by_value(values: np.ndarray) -> dict[int, np.ndarray]:
    """Return the positions of each distinct value, in ascending order."""
    if len(values) == 0:
        return {}
    order = np.argsort(values, kind="stable")
    distinct, starts = np.unique(values[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(order, starts[1:]), strict=True))


def _skip(left_out: np.ndarray, number: int) -> int:
    """Return the position of a number-th element (from 0), some positions being left out.

    Parameters
    ----------
    left_out : ndarray of int64, shape (n,)
        Positions in ascending order.
    number : int
    """
    # The k-th of those left out comes before it if no more than `number` others come before that.
    return number + int(np.searchsorted(left_out - np.arange(len(left_out)), number, "right"))


def normalize_text(text: str) -> str:
    """Reduce a phrase to what every model's tokenizer reads of it at most: its words.

    Case, spaces and the way in which a character is composed make no difference to any
    tokenizer, and punctuation none to SigLIP's. Comparing the words, not one model's tokens,
    keeps a phrase's partner the same for every model.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded)) or " ".join(folded.split())
