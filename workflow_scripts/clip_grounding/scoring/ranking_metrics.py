"""Exact metrics of a ranking against a region, from all values and those inside, both sorted.

Only values inside the region matter as thresholds: between two of them precision and IoU fall
with every value that is taken in. So each region costs the sorting of its own values and a search
for them among all values, which are sorted once.
"""

import numpy as np


def count_at_thresholds(inside: np.ndarray, ranked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count what is at or above each distinct value of a region.

    Parameters
    ----------
    inside : ndarray of float32, shape (n_inside,)
        The region's values in ascending order, at least one.
    ranked : ndarray of float32, shape (n_values,)
        All values in ascending order, those inside among them.

    Returns
    -------
    hits, shown : ndarray of int64, shape (n_distinct,)
        Values inside and of all, for the distinct values inside in ascending order.
    """
    first = np.flatnonzero(np.concatenate([[True], inside[1:] != inside[:-1]]))
    hits = len(inside) - first
    shown = len(ranked) - np.searchsorted(ranked, inside[first])
    return hits, shown


def average_precision(hits: np.ndarray, shown: np.ndarray) -> float:
    """Average precision: the precision at each threshold, weighted by its new share of recall.

    Equal values are one threshold, so a constant map scores the share of values inside
    (`sklearn.metrics.average_precision_score`).

    Parameters
    ----------
    hits, shown : ndarray of int64, shape (n_distinct,)
        See `count_at_thresholds`.
    """
    new = hits.copy()
    new[:-1] -= hits[1:]
    return (new * hits / shown).sum() / hits[0]


def best_iou(hits: np.ndarray, shown: np.ndarray) -> float:
    """Foreground IoU at the best threshold of all: an upper bound, known in hindsight."""
    return (hits / (hits[0] + shown - hits)).max()


def iou_at(
    thresholds: np.ndarray, inside: np.ndarray, ranked: np.ndarray, strictly_above: bool = False
) -> np.ndarray:
    """Foreground IoU of the values at or above each threshold, or only of those above.

    Parameters
    ----------
    thresholds : ndarray of float32, shape (n_thresholds,)
    inside, ranked : ndarray of float32, shapes (n_inside,), (n_values,)
        In ascending order, see `count_at_thresholds`.
    strictly_above : bool, optional
        Leave out values that equal the threshold.

    Returns
    -------
    ndarray of float64, shape (n_thresholds,)
    """
    side = "right" if strictly_above else "left"
    hits = len(inside) - np.searchsorted(inside, thresholds, side)
    shown = len(ranked) - np.searchsorted(ranked, thresholds, side)
    return hits / (len(inside) + shown - hits)
