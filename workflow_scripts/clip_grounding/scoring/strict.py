"""The strict protocol: what the poster's protocol gets wrong, put right.

Text-to-image is scored at the image's own resolution, padding cropped away and void pixels
ignored; image-to-text with true character spans, ignoring words of other phrases that share
a segment. docs/protocols.md explains both protocols to a reader.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clip_grounding.scoring.otsu import otsu_of_sorted
from clip_grounding.scoring.ranking_metrics import (
    average_precision,
    best_iou,
    count_at_thresholds,
    iou_at,
)

METRICS = ("ap", "iou", "best_iou", "pointing", "mass", "chance")
"""Average precision (the primary metric), foreground IoU at Otsu's and at the best threshold,
pointing game, share of the positive relevance inside, and the chance level of ap, pointing and
mass: the share of the values that are inside."""

LEVELS = np.linspace(0, 1, 21)
"""Thresholds of the sensitivity curve, as shares of a map's range."""


@dataclass(frozen=True)
class RankedMap:
    """A map's values in order, ready to be scored against any of its regions.

    Attributes
    ----------
    values : ndarray of float32, shape (n_values,)
        In place: row by row, void pixels included.
    ranked : ndarray of float32, shape (n_valid,)
        In ascending order, without the void pixels.
    otsu : float32 or None
        Otsu's threshold of `ranked`; None for a flat map.
    positive : float
        Sum of the positive values of `ranked`.
    """

    values: np.ndarray
    ranked: np.ndarray
    otsu: np.float32 | None
    positive: float


def rank_map(values: np.ndarray, void: np.ndarray | None = None) -> RankedMap:
    """Prepare a map for scoring.

    Parameters
    ----------
    values : ndarray of float32, any shape
        All finite, at least one of them not void.
    void : ndarray of int64, shape (n_void,), optional
        Flat positions of the void pixels, which belong to no region and are ignored.
    """
    values = values.ravel()
    ranked = values.copy()
    if void is not None and len(void):
        ranked[void] = np.inf  # to the end, and off it
        ranked.sort()
        ranked = ranked[: -len(void)]
    else:
        ranked.sort()
    if ranked[0] == ranked[-1]:
        return RankedMap(values, ranked, None, 0.0)
    return RankedMap(values, ranked, otsu_of_sorted(ranked), _positive_sum(ranked))


def score_regions(ranked_map: RankedMap, regions: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Score a map against regions of its image.

    Parameters
    ----------
    ranked_map : RankedMap
    regions : iterable of ndarray of int64, shape (n_inside,)
        Flat positions of each region's pixels, at least one and none of them void.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_regions,)
        One entry per name of `METRICS`, and ``curve``, (n_regions, 21): foreground IoU at each
        of `LEVELS`. A flat map scores ``ap``, ``pointing`` and ``mass`` at chance and ``iou`` 0.
    """
    scores = [_score(ranked_map, ranked_map.values[region]) for region in regions]
    return {name: np.array([own[name] for own in scores]) for name in [*METRICS, "curve"]}


def score_tokens(relevance: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Score a caption's token relevance against the phrase's tokens.

    Parameters
    ----------
    relevance : ndarray of float32, shape (n_tokens,)
        Without the ignored tokens.
    truth : ndarray of bool, shape (n_tokens,)
        At least one is True.

    Returns
    -------
    dict of str to float, and ``curve``, (21,)
        See `score_regions`.
    """
    return _score(rank_map(relevance), relevance[truth])


def _score(ranked_map: RankedMap, inside: np.ndarray) -> dict[str, float]:
    """Score a map against the region of which `inside`, (n_inside,), are the values."""
    ranked = ranked_map.ranked
    chance = len(inside) / len(ranked)
    if ranked_map.otsu is None:
        # The lowest threshold takes in everything, any other nothing.
        curve = chance * (LEVELS == 0)
        return dict(
            zip(METRICS, (chance, 0.0, chance, chance, chance, chance), strict=True), curve=curve
        )
    inside = np.sort(inside)
    hits, shown = count_at_thresholds(inside, ranked)
    n_highest, own_highest = (
        len(values) - np.searchsorted(values, ranked[-1]) for values in (ranked, inside)
    )
    positive = ranked_map.positive
    return {
        "ap": average_precision(hits, shown),
        "iou": iou_at(ranked_map.otsu, inside, ranked, strictly_above=True),
        "best_iou": best_iou(hits, shown),
        "pointing": own_highest / n_highest,
        "mass": _positive_sum(inside) / positive if positive > 0 else chance,
        "chance": chance,
        "curve": iou_at(_levels(ranked[0], ranked[-1]), inside, ranked),
    }


def _levels(low: np.float32, high: np.float32) -> np.ndarray:
    """Thresholds at each of `LEVELS`, rounded to the precision of the values."""
    levels = float(low) + LEVELS * (float(high) - float(low))
    levels[-1] = high  # whatever the rounding
    return levels.astype(np.float32)


def _positive_sum(ranked: np.ndarray) -> float:
    """Sum of the positive of values in ascending order, in double precision."""
    return ranked[np.searchsorted(ranked, 0, "right") :].sum(dtype=np.float64)


def overlapping_tokens(
    starts: np.ndarray, ends: np.ndarray, char_start: int, char_end: int
) -> np.ndarray:
    """Word tokens that overlap a character span, bool of shape (n_tokens,)."""
    return (starts < char_end) & (ends > char_start)
