"""Otsu's threshold of sorted values, equal to scikit-image's."""

import numpy as np

N_BINS = 256


def otsu_thresholds(values: np.ndarray) -> np.ndarray:
    """Otsu's threshold of each row: a 256-bin histogram's most separating bin centre.

    Parameters
    ----------
    values : ndarray of float32, shape (n, n_values)

    Returns
    -------
    ndarray of float32, shape (n,)
        Foreground is strictly above. The value itself where a row is constant.
    """
    rows = np.sort(values, axis=1)
    return np.array([otsu_of_sorted(row) for row in rows], dtype=values.dtype)


def otsu_of_sorted(values: np.ndarray) -> np.floating:
    """Otsu's threshold of values in ascending order, (n_values,); see `otsu_thresholds`."""
    low, high = values[0], values[-1]
    if low == high:
        return low
    counts, edges = histogram_of_sorted(values)
    centers = (edges[:-1] + edges[1:]) / 2
    # float32 counts and this order of summation are scikit-image's; ties depend on them.
    counts = counts.astype(np.float32)
    weighted = counts * centers
    below = np.cumsum(counts)
    above = np.cumsum(counts[::-1])[::-1]
    mean_below = np.cumsum(weighted) / below
    mean_above = (np.cumsum(weighted[::-1]) / above[::-1])[::-1]
    difference = mean_below[:-1] - mean_above[1:]
    with np.errstate(over="ignore"):  # values beyond 1e15, of which scikit-image makes the same
        variance = below[:-1] * above[1:] * difference**2
    threshold = centers[variance.argmax()]
    rounded = values.dtype.type(threshold)
    # Down, so that the values above the threshold are those above the rounded one.
    return np.nextafter(rounded, -np.inf, dtype=values.dtype) if rounded > threshold else rounded


def histogram_of_sorted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histogram over the values' own range, with the bins of `numpy.histogram`.

    That refuses a range of fewer than 256 numbers of single precision; its bins are those of the
    values in double precision.

    Parameters
    ----------
    values : ndarray of float32, shape (n_values,)
        In ascending order, not all equal.

    Returns
    -------
    counts : ndarray of int64, shape (256,)
    edges : ndarray of float32 or float64, shape (257,)
    """
    edges = np.linspace(values[0], values[-1], N_BINS + 1, dtype=values.dtype)
    if (edges[1:] <= edges[:-1]).any():
        edges = np.linspace(float(values[0]), float(values[-1]), N_BINS + 1)
    below = np.searchsorted(values, edges[1:-1])
    return np.diff(below, prepend=0, append=len(values)), edges
