"""Compute upper bounds of means whose values come in clusters, the images."""

import numpy as np

from clip_grounding.statistics.bootstrap import student_quantile

LEVEL = 0.05
"""The chance that a method passes a gate whose limit its true value has reached."""


def upper_bounds(sums: np.ndarray, counts: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Compute one-sided upper bounds of means over all values, by Student's t over clusters.

    Parameters
    ----------
    sums, counts : ndarray of float64, shape (n_images, n_columns)
        Of each image's values, see `clip_grounding.statistics.bootstrap.cluster_sums`.
    level : float
        The chance that the true mean is above.

    Returns
    -------
    ndarray of float64, shape (n_columns,)
        Infinite where fewer than two images have a value.

    Notes
    -----
    The mean Σ s / Σ c is a ratio; its standard error is the linearised one of cluster sampling,
    √(n / (n − 1) · Σ (s − mean · c)²) / Σ c.
    """
    bounds = np.full(sums.shape[1], np.inf)
    for column, (own, count) in enumerate(zip(sums.T, counts.T, strict=True)):
        n = int(np.count_nonzero(count))
        if n < 2:
            continue
        mean = own.sum() / count.sum()
        squares = np.square(own - mean * count).sum()
        error = np.sqrt(n / (n - 1) * squares) / count.sum()
        bounds[column] = mean + student_quantile(1 - level, n - 1) * error
    return bounds
