"""Otsu's threshold for many maps at once, equal to scikit-image's one by one."""

import numpy as np

N_BINS = 256


def histograms(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histogram each row over its own range, with the bins of `numpy.histogram`.

    Parameters
    ----------
    values : ndarray of float32, shape (n, n_values)

    Returns
    -------
    counts : ndarray of int64, shape (n, 256)
    edges : ndarray of float32, shape (n, 257)
    """
    low = values.min(axis=1)
    high = values.max(axis=1)
    # A zero step in one row would make linspace compute all rows in another way.
    high = np.where(high == low, low + 1, high)
    edges = np.linspace(low, high, N_BINS + 1, axis=1, dtype=values.dtype)
    span = (high - low)[:, None]
    bins = ((values - low[:, None]) / span * np.float32(N_BINS)).astype(np.int32)
    np.minimum(bins, N_BINS - 1, out=bins)
    # Rounding may put a value beside an edge into the wrong bin: the edges decide.
    bins -= values < np.take_along_axis(edges, bins, axis=1)
    above = values >= np.take_along_axis(edges, bins + 1, axis=1)
    bins += above & (bins < N_BINS - 1)
    offsets = np.arange(len(values), dtype=np.int32)[:, None] * N_BINS
    counts = np.bincount((bins + offsets).ravel(), minlength=len(values) * N_BINS)
    return counts.reshape(len(values), N_BINS), edges


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
    counts, edges = histograms(values)
    centers = (edges[:, :-1] + edges[:, 1:]) / 2
    thresholds = centers[np.arange(len(values)), otsu_bins(counts, centers)]
    constant = values.min(axis=1) == values.max(axis=1)
    return np.where(constant, values[:, 0], thresholds)


def otsu_bins(counts: np.ndarray, centers: np.ndarray | None = None) -> np.ndarray:
    """Bin whose centre is Otsu's threshold: the most variance between the classes.

    Parameters
    ----------
    counts : ndarray of int, shape (n, n_bins)
        Histograms with a value in the first and in the last bin.
    centers : ndarray of float32, shape (n, n_bins), optional
        Bin centres; equidistant where they are not given.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    if centers is None:
        centers = np.arange(counts.shape[1], dtype=np.float32)[None]
    # float32 counts and this order of summation are scikit-image's; ties depend on them.
    counts = counts.astype(np.float32)
    weighted = counts * centers
    below = np.cumsum(counts, axis=1)
    above = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(invalid="ignore", divide="ignore"):  # rows of equal values
        mean_below = np.cumsum(weighted, axis=1) / below
        mean_above = (np.cumsum(weighted[:, ::-1], axis=1) / above[:, ::-1])[:, ::-1]
    difference = mean_below[:, :-1] - mean_above[:, 1:]
    variance = below[:, :-1] * above[:, 1:] * difference**2
    return variance.argmax(axis=1)
