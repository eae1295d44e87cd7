"""Intervals and tests that respect the data: phrases of one image are not independent.

Everything works on sums and counts per image, so that a resample of the images is one row of
a matrix product, whatever the number of columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

FEWEST_IMAGES = 5
"""A mean over fewer images is not shown by itself: resampling them says little."""

MEANS = ("n_phrases", "n_images", "mean", "ci_low", "ci_high")
"""The columns that `mean_table` adds."""

_BLOCK = 256  # resamples drawn at once: 256 x 5,000 images of float64 is 10 MB


@dataclass(frozen=True)
class Bootstrap:
    """How images are resampled for intervals.

    Attributes
    ----------
    resamples : int
        Resamples of the images; of a test, also its random sign vectors.
    confidence : float
        Of the intervals, between 0 and 1.
    seed : int
    """

    resamples: int
    confidence: float
    seed: int


def mean_table(
    names: pd.DataFrame, sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Put means with their intervals beside the names of what is averaged.

    Parameters
    ----------
    names : DataFrame
        A row per column of `sums`.
    sums, counts : ndarray of float64, shape (n_images, n_columns)
        Of each image's values, see `cluster_sums`. The same images are drawn for every column.
    bootstrap : Bootstrap

    Returns
    -------
    DataFrame
        The columns of `names` and `MEANS`, numbered from 0. A column without a value has a mean
        and an interval of NaN.
    """
    n_images = np.count_nonzero(counts, axis=0)
    low, high = interval(resampled_means(sums, counts, bootstrap), bootstrap.confidence, n_images)
    return names.reset_index(drop=True).assign(
        n_phrases=counts.sum(axis=0).astype(np.int64),
        n_images=n_images,
        mean=_means(sums, counts),
        ci_low=low,
        ci_high=high,
    )


def change_table(sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> pd.DataFrame:
    """Return how much each mean differs from that of the column before it.

    Returns
    -------
    DataFrame
        Columns change, change_low and change_high, a row per column of `sums` (see `mean_table`);
        NaN in the first.
    """
    n_images = np.count_nonzero(counts, axis=0)
    changes = np.diff(resampled_means(sums, counts, bootstrap), axis=1)
    ends = interval(changes, bootstrap.confidence, np.minimum(n_images[1:], n_images[:-1]))
    columns = zip(
        ("change", "change_low", "change_high"),
        (np.diff(_means(sums, counts)), *ends),
        strict=True,
    )
    return pd.DataFrame({name: np.concatenate([[np.nan], values]) for name, values in columns})


def _means(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # without a value: 0 / 0
        return sums.sum(axis=0) / counts.sum(axis=0)


def image_weights(n_images: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield blocks of bootstrap weights: how often each image is drawn, (block, n_images)."""
    generator = np.random.default_rng(seed)
    shares = np.full(n_images, 1 / n_images)
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        yield generator.multinomial(n_images, shares, size=size).astype(np.float64)


def cluster_sums(
    values: np.ndarray, clusters: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum each cluster's values and count them, column by column.

    Parameters
    ----------
    values : ndarray of float, shape (n_values, n_columns)
        NaN where a column has no value: it is neither summed nor counted.
    clusters : ndarray of int, shape (n_values,)
        Cluster of each row, from 0.
    n_clusters : int

    Returns
    -------
    sums, counts : ndarray of float64, shape (n_clusters, n_columns)
    """
    sums, counts = np.zeros((2, n_clusters, values.shape[1]))
    if len(values) == 0:
        return sums, counts
    order = np.argsort(clusters, kind="stable")
    present, starts = np.unique(clusters[order], return_index=True)
    ordered = values[order].astype(np.float64)
    known = ~np.isnan(ordered)
    sums[present] = np.add.reduceat(np.where(known, ordered, 0), starts, axis=0)
    counts[present] = np.add.reduceat(known.astype(np.float64), starts, axis=0)
    return sums, counts


def resampled_means(sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Means of resampled images, from each image's sums and counts (see `cluster_sums`).

    Returns
    -------
    ndarray of float64, shape (resamples, n_columns)
        The same images are drawn for every column. NaN where a resample holds no value.
    """
    blocks = image_weights(len(sums), bootstrap.resamples, bootstrap.seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([(w @ sums) / (w @ counts) for w in blocks])


def bootstrap_means(values: np.ndarray, images: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Resampled means over phrases, drawing whole images with replacement.

    Parameters
    ----------
    values : ndarray of float, shape (n_phrases, n_columns)
        NaN where a column has no value for the phrase: it is left out of that mean.
    images : ndarray of int, shape (n_phrases,)
        Image of each phrase.
    bootstrap : Bootstrap

    Returns
    -------
    ndarray of float64, shape (resamples, n_columns)
        The same images are drawn for every column, so differences of columns are paired.
    """
    return resampled_means(*image_sums(values, images), bootstrap)


def image_sums(values: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and count each image's values as `cluster_sums` does, images named by any number."""
    present, index = np.unique(images, return_inverse=True)
    return cluster_sums(values, index, len(present))


def count_images(values: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Count the images with a value in each column; parameters as of `bootstrap_means`."""
    return np.count_nonzero(image_sums(values, images)[1], axis=0)


def interval(
    means: np.ndarray, confidence: float, n_images: int | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expanded percentile interval of resampled means, (low, high) per column.

    Percentiles of a bootstrap are those of a normal interval with the variance divided by n, so
    they are too narrow for few images. The expanded ones are further out, by what Student's
    t and the division by n − 1 add: none of the range that a score can have is left, and more
    images than some hundred make no difference.

    Parameters
    ----------
    means : ndarray of float64, shape (n_resamples, n_columns)
        Resamples without a value (NaN) do not take part.
    confidence : float
    n_images : int or ndarray of int, shape (n_columns,)
        Images with a value. All resamples of a single image are that image, so its interval is
        the mean itself: it says nothing about other images.

    Returns
    -------
    low, high : ndarray of float64, shape (n_columns,)

    References
    ----------
    Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69
    (2015), section 4.4.
    """
    n_images = np.broadcast_to(n_images, means.shape[1])
    low, high = np.full((2, means.shape[1]), np.nan)
    for n in np.unique(n_images):
        own = n_images == n
        tail = expanded_tail(int(n), confidence)
        low[own], high[own] = np.nanquantile(means[:, own], [tail, 1 - tail], axis=0)
    return low, high


def expanded_tail(n_images: int, confidence: float) -> float:
    """Share of the resampled means to leave out on either side, see `interval`."""
    tail = (1 - confidence) / 2
    if n_images < 2:
        return tail
    quantile = student_quantile(1 - tail, n_images - 1)
    return NormalDist().cdf(-quantile * np.sqrt(n_images / (n_images - 1)))


def student_quantile(share: float, freedom: int) -> float:
    """Quantile above the median of Student's t distribution, for `freedom` degrees of freedom.

    With t = √ν tan θ, the density is proportional to cos(θ)^(ν − 1), which is summed.
    """
    angles = np.linspace(0, min(np.pi / 2, 12 / np.sqrt(freedom)), 8193)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0], np.cumsum(density[1:] + density[:-1])])
    angle = np.interp(share - 0.5, below / below[-1] / 2, angles)
    return np.sqrt(freedom) * np.tan(angle)


def sign_flip_tests(sums: np.ndarray, flips: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided tests of paired differences, flipping the sign of whole images, for a family.

    The test takes an image's summed difference d to be as likely −d, as it is where two contenders
    score alike. It is not exact where they are only equal in the mean: with skewed differences
    and few images, differences are found too often (tests/studies/simulate_flips.py). The
    statistic of a column is |Σ d| / √(Σ d²), whose denominator no flip changes.
    p = (1 + how many flips give at least the observed statistic) / (1 + flips), so that it is
    never 0; with a single image, or without any difference, it is 1.

    The adjusted p-values are those of the step-down maximum: a column is compared with the
    largest flipped statistic among all columns whose observed one is no larger. Rejecting where
    they are below α keeps the chance of any false rejection in the family below α, as far as
    signs may be flipped. Unlike a
    correction that multiplies p-values by their number (Bonferroni, Holm), it can still reject
    where there are more columns than α × flips, and it makes use of their dependence.

    Parameters
    ----------
    sums : ndarray of float64, shape (n_images, n_columns)
        Each image's summed differences, 0 for an image without any.
    flips : int
        Random sign vectors, the same ones for every column.
    seed : int

    Returns
    -------
    p_values, adjusted : ndarray of float64, shape (n_columns,)

    References
    ----------
    Westfall and Young, Resampling-Based Multiple Testing, 1993, algorithm 2.8 (step-down maxT).
    """
    generator = np.random.default_rng(seed)
    scale = np.sqrt(np.square(sums).sum(axis=0))
    scaled = sums / np.where(scale > 0, scale, 1)
    # Flips that only swap equal terms must count as ties in spite of rounding.
    threshold = np.abs(scaled.sum(axis=0)) - 1e-9 * np.abs(scaled).sum(axis=0)
    order = np.argsort(threshold, kind="stable")
    exceeding, exceeding_largest = np.zeros((2, sums.shape[1]))
    for start in range(0, flips, _BLOCK):
        shape = min(_BLOCK, flips - start), len(sums)
        signs = generator.integers(0, 2, size=shape, dtype=np.int8) * 2.0 - 1.0
        flipped = np.abs(signs @ scaled)[:, order]
        exceeding[order] += (flipped >= threshold[order]).sum(axis=0)
        largest = np.maximum.accumulate(flipped, axis=1, out=flipped)
        exceeding_largest[order] += (largest >= threshold[order]).sum(axis=0)
    adjusted = (1 + exceeding_largest) / (1 + flips)
    from_largest = order[::-1]
    adjusted[from_largest] = np.maximum.accumulate(adjusted[from_largest])
    return (1 + exceeding) / (1 + flips), adjusted
