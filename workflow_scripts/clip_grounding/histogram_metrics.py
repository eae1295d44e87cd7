"""Metrics of a relevance map against a region, all from two histograms: inside and outside it.

The histograms split the map's range into `N_FINE` equal bins, sixteen to each of Otsu's
256. Values of one bin count as tied, which is what the binning costs: on heavy-tailed maps at
full resolution, average precision differs from that of the exact ranking by 1e-4 in the mean
and by less than 1e-2 at worst (tests/unit/test_histogram_metrics.py checks it against
scikit-learn).
Otsu's threshold is a bin centre of the 256, hence an edge of the fine bins, so the IoU at it
loses nothing.
"""

import numpy as np

from clip_grounding.thresholds import N_BINS, otsu_bins

FINE_PER_BIN = 16
N_FINE = N_BINS * FINE_PER_BIN


def fine_bins(values: np.ndarray) -> np.ndarray:
    """Bin values over their own range.

    Parameters
    ----------
    values : ndarray of float32, shape (n_values,)
        Not all equal.

    Returns
    -------
    ndarray of int64, shape (n_values,)
        Bins from 0 to ``N_FINE - 1``, in ascending order of value.
    """
    low, high = values.min(), values.max()
    bins = ((values - low) * np.float32(N_FINE / (high - low))).astype(np.int64)
    return np.minimum(bins, N_FINE - 1, out=bins)


def average_precision(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Average precision of the ranking: the precision at each bin, weighted by its new recall.

    Values of one bin are tied, so a constant map scores the share of values inside.

    Parameters
    ----------
    inside, outside : ndarray of int64, shape (n, n_bins)
        Histograms in ascending order of value; each row of `inside` counts at least one.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    hits = inside[:, ::-1].cumsum(axis=1)
    shown = hits + outside[:, ::-1].cumsum(axis=1)
    precision = hits / np.maximum(shown, 1)
    return (inside[:, ::-1] * precision).sum(axis=1) / hits[:, -1]


def best_iou(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Foreground IoU at the best threshold between bins: an upper bound, known in hindsight."""
    hits = inside[:, ::-1].cumsum(axis=1)
    false = outside[:, ::-1].cumsum(axis=1)
    return (hits / (hits[:, -1:] + false)).max(axis=1)


def otsu_iou(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Foreground IoU at Otsu's threshold of all values, from histograms of `N_FINE` bins."""
    counts = (inside + outside).reshape(len(inside), N_BINS, FINE_PER_BIN).sum(axis=2)
    first = otsu_bins(counts) * FINE_PER_BIN + FINE_PER_BIN // 2  # the bin centre
    above = np.arange(N_FINE) >= first[:, None]
    hits = (inside * above).sum(axis=1)
    return hits / (inside.sum(axis=1) + (outside * above).sum(axis=1))


def iou_curve(inside: np.ndarray, outside: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Foreground IoU when the bins from each of `firsts` up are predicted, (n, n_firsts)."""
    hits = inside[:, ::-1].cumsum(axis=1)[:, ::-1]
    false = outside[:, ::-1].cumsum(axis=1)[:, ::-1]
    return (hits / (hits[:, :1] + false))[:, firsts]
