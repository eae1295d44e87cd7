"""The strict protocol: what the poster's protocol gets wrong, put right.

Text-to-image is scored at the image's own resolution, padding cropped away and void pixels
ignored; image-to-text with true character spans, ignoring words of other phrases that share
a segment. docs/protocols.md explains both protocols to a reader.
"""

from dataclasses import dataclass

import numpy as np

from clip_grounding.histogram_metrics import (
    N_FINE,
    average_precision,
    best_iou,
    fine_bins,
    iou_curve,
    otsu_iou,
)
from clip_grounding.poster import interpolate, linear_weights
from clip_grounding.preprocessing import square_padding
from clip_grounding.thresholds import otsu_thresholds

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
    """
    # Not as a matrix product: BLAS would start threads that fight over a job's one core.
    for axis, size, padding in zip(
        (1, 0), (width, height), reversed(square_padding(height, width)), strict=True
    ):
        low, high, share = linear_weights(grid.shape[axis], size + 2 * padding)
        # Beyond the outermost patch centres the map is level: rounding must not tilt it, or the
        # pointing game would be decided by the last digit.
        share = np.where(low == high, np.float32(0), share)
        inner = slice(padding, padding + size)
        grid = interpolate(grid, axis, low[inner], high[inner], share[inner])
    return grid


def upsample_to_square(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsample a relevance grid onto the padded square of an image of this size."""
    rows, columns = square_padding(height, width)
    for axis, size in ((1, width + 2 * columns), (0, height + 2 * rows)):
        grid = interpolate(grid, axis, *linear_weights(grid.shape[axis], size))
    return grid


@dataclass(frozen=True)
class ImageMap:
    """A map at its image's resolution, ready to be scored against any of its regions.

    Attributes
    ----------
    values : ndarray of float32, shape (n_pixels,)
        Row by row, void pixels included.
    bins : ndarray of int64, shape (n_pixels,), or None
        Fine bin of each pixel; None for a flat map.
    histogram : ndarray of int64, shape (N_FINE,)
        Of the pixels that are not void.
    n_valid, n_highest : int
        Pixels that are not void, and those of them with the highest value.
    highest, positive : float
        The highest value and the sum of the positive ones among them.
    """

    values: np.ndarray
    bins: np.ndarray | None
    histogram: np.ndarray | None
    n_valid: int
    n_highest: int
    highest: float
    positive: float


def open_map(values: np.ndarray, void: np.ndarray) -> ImageMap:
    """Prepare a map for scoring.

    Parameters
    ----------
    values : ndarray of float32, shape (height, width)
    void : ndarray of int64, shape (n_void,)
        Flat positions of the void pixels, which belong to no region and are ignored.
    """
    values = values.ravel()
    n_valid = values.size - len(void)
    if len(void):
        # Void pixels take a value that is there already, so they move neither end of the range.
        values = values.copy()
        is_void = np.zeros(values.size, dtype=bool)
        is_void[void] = True
        values[void] = values[is_void.argmin()]
    low, highest = values.min(), values.max()
    if not highest > low:
        return ImageMap(values, None, None, n_valid, n_valid, highest, 0.0)
    bins = fine_bins(values)
    histogram = np.bincount(bins, minlength=N_FINE)
    at_top = values == highest
    n_highest = np.count_nonzero(at_top)
    positive = _positive_sum(values)
    if len(void):
        histogram -= np.bincount(bins[void], minlength=N_FINE)
        n_highest -= np.count_nonzero(at_top[void])
        positive -= _positive_sum(values[void])
    return ImageMap(values, bins, histogram, n_valid, n_highest, highest, positive)


def score_regions(image_map: ImageMap, regions: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Score a map against regions of its image.

    Parameters
    ----------
    image_map : ImageMap
    regions : list of ndarray of int64, shape (n_inside,)
        Flat positions of each region's pixels, none of them void.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_regions,)
        One entry per name of `METRICS`, and ``curve``, (n_regions, 21): foreground IoU at each
        of `LEVELS`. A flat map scores ``ap``, ``pointing`` and ``mass`` at chance and ``iou`` 0.
    """
    n_inside = np.array([len(region) for region in regions], dtype=np.int64)
    area = n_inside / image_map.n_valid
    if image_map.bins is None:
        return _flat_scores(area)
    inside = np.stack([np.bincount(image_map.bins[region], minlength=N_FINE) for region in regions])
    outside = image_map.histogram - inside
    own_values = [image_map.values[region] for region in regions]
    tops = np.array([np.count_nonzero(values == image_map.highest) for values in own_values])
    own = np.array([_positive_sum(values) for values in own_values])
    return {
        "ap": average_precision(inside, outside),
        "iou": otsu_iou(inside, outside),
        "best_iou": best_iou(inside, outside),
        "pointing": tops / image_map.n_highest,
        "mass": own / image_map.positive if image_map.positive > 0 else area,
        "area": area,
        "curve": iou_curve(inside, outside, np.round(LEVELS * (N_FINE - 1)).astype(int)),
    }


def score_tokens(relevance: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Score a caption's token relevance against the phrase's tokens, exactly.

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
    area = truth.mean()
    ranks, distinct = np.unique(relevance, return_inverse=True)
    if len(ranks) == 1:
        return {name: values[0] for name, values in _flat_scores(area[None]).items()}
    inside = np.bincount(distinct[truth], minlength=len(ranks))[None]
    outside = np.bincount(distinct[~truth], minlength=len(ranks))[None]
    predicted = relevance > otsu_thresholds(relevance[None])[0]
    levels = ranks[0] + LEVELS.astype(np.float32) * (ranks[-1] - ranks[0])
    levels[-1] = ranks[-1]  # whatever the rounding
    positive, own = _positive_sum(relevance), _positive_sum(relevance[truth])
    return {
        "ap": average_precision(inside, outside)[0],
        "iou": (predicted & truth).sum() / (predicted | truth).sum(),
        "best_iou": best_iou(inside, outside)[0],
        "pointing": inside[0, -1] / (inside[0, -1] + outside[0, -1]),
        "mass": own / positive if positive > 0 else area,
        "area": area,
        "curve": iou_curve(inside, outside, np.searchsorted(ranks, levels))[0],
    }


def _positive_sum(values: np.ndarray) -> float:
    """Sum of the positive values, in double precision."""
    return np.maximum(values, 0).sum(dtype=np.float64)


def _flat_scores(area: np.ndarray) -> dict[str, np.ndarray]:
    zero = np.zeros_like(area)
    scores = dict(zip(METRICS, (area, zero, area, area, area, area), strict=True))
    # The lowest threshold takes in everything, any other nothing.
    return {**scores, "curve": np.outer(area, LEVELS == 0)}


def overlapping_tokens(
    starts: np.ndarray, ends: np.ndarray, char_start: int, char_end: int
) -> np.ndarray:
    """Word tokens that overlap a character span, bool of shape (n_tokens,)."""
    return (starts < char_end) & (ends > char_start)
