"""The strict protocol: what the poster's protocol gets wrong, put right.

Text-to-image is scored at the image's own resolution, padding cropped away and void pixels
ignored; image-to-text with true character spans, ignoring words of other phrases that share
a segment. docs/protocols.md explains both protocols to a reader.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from clip_grounding.models.preprocessing import square_padding
from clip_grounding.scoring.otsu import otsu_of_sorted
from clip_grounding.scoring.ranking_metrics import (
    average_precision,
    best_iou,
    count_at_thresholds,
    iou_at,
)

METRICS = ("ap", "iou", "best_iou", "pointing", "mass", "area")
"""Average precision (the primary metric), foreground IoU at Otsu's and at the best threshold,
pointing game, share of the positive relevance inside, and the chance level of ap, pointing and
mass: the share of the values that are inside."""

LEVELS = np.linspace(0, 1, 21)
"""Thresholds of the sensitivity curve, as shares of a map's range."""


def upsample_to_image(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsample a relevance grid onto the image that it belongs to.

    The grid covers the padded square at the image's own scale; the padding is cropped away.

    Parameters
    ----------
    grid : ndarray of float32, shape (rows, columns)
    height, width : int
        Of the image, in pixels.

    Returns
    -------
    ndarray of float32, shape (height, width)
        Bilinear, computed exactly for values of like size and then rounded: pixels that are equal
        are tied, so no last digit ranks them.
    """
    rows, columns = square_padding(height, width)
    down = _places(grid.shape[0], height + 2 * rows, rows)
    across = _places(grid.shape[1], width + 2 * columns, columns)
    return _interpolate(grid, down, across)


def upsample_to_square(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsample a relevance grid onto the padded square of an image of this size."""
    rows, columns = square_padding(height, width)
    down = _places(grid.shape[0], height + 2 * rows)
    across = _places(grid.shape[1], width + 2 * columns)
    return _interpolate(grid, down, across)


def _places(length: int, size: int, cut: int = 0) -> tuple[np.ndarray, np.ndarray, int]:
    """Interpolate `length` values at `size` places, half-pixel centres, but `cut` at each end.

    Returns
    -------
    low : ndarray of int64, shape (size - 2 * cut,)
        The lower index.
    parts : ndarray of float64, shape (size - 2 * cut,)
        The share of the next index, in whole parts of `whole`.
    whole : int
    """
    whole = 2 * size
    centers = np.maximum((2 * np.arange(cut, size - cut) + 1) * length - size, 0)
    low, parts = np.divmod(centers, whole)
    return low, parts.astype(np.float64), whole


def _interpolate(
    grid: np.ndarray,
    down: tuple[np.ndarray, np.ndarray, int],
    across: tuple[np.ndarray, np.ndarray, int],
) -> np.ndarray:
    """Interpolate a grid at `_places`; beyond the last centre it is level.

    Shares stay whole numbers until one division at the end: sums are exact where the values are
    of like size, so what is equal, as on both sides of a symmetric map, rounds to one value.
    """
    (low_rows, row_parts, n_rows), (low_columns, column_parts, n_columns) = down, across
    grid = grid.astype(np.float64)
    steps = np.diff(grid, axis=1, append=grid[:, -1:])
    wide = n_columns * grid[:, low_columns] + column_parts * steps[:, low_columns]
    steps = np.diff(wide, axis=0, append=wide[-1:])
    wide *= n_rows
    out = np.empty((len(low_rows), len(low_columns)), dtype=np.float32)
    # Band by band, which stays in the processor's cache. Not as a matrix product: BLAS would
    # start threads that fight over a job's one core.
    bounds = np.searchsorted(low_rows, np.arange(len(grid) + 1))
    room = np.empty((np.diff(bounds).max(), len(low_columns)))
    for row, (start, stop) in enumerate(pairwise(bounds)):
        band = np.multiply(row_parts[start:stop, None], steps[row], out=room[: stop - start])
        band += wide[row]
        band /= n_rows * n_columns
        out[start:stop] = band
    return out


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


def score_regions(ranked_map: RankedMap, regions: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Score a map against regions of its image.

    Parameters
    ----------
    ranked_map : RankedMap
    regions : list of ndarray of int64, shape (n_inside,)
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
    area = len(inside) / len(ranked)
    if ranked_map.otsu is None:
        # The lowest threshold takes in everything, any other nothing.
        curve = area * (LEVELS == 0)
        return dict(zip(METRICS, (area, 0.0, area, area, area, area), strict=True), curve=curve)
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
        "mass": _positive_sum(inside) / positive if positive > 0 else area,
        "area": area,
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
