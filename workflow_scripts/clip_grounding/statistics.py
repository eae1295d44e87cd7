"""Means with intervals that respect the data: phrases of one image are not independent."""

import numpy as np
import pandas as pd

_BLOCK = 256  # resamples drawn at once: 256 x 5,000 images of float64 is 10 MB


def image_weights(n_images: int, resamples: int, seed: int):
    """Yield blocks of bootstrap weights: how often each image is drawn, (block, n_images)."""
    generator = np.random.default_rng(seed)
    shares = np.full(n_images, 1 / n_images)
    for start in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - start)
        yield generator.multinomial(n_images, shares, size=size).astype(np.float64)


def bootstrap_means(
    values: np.ndarray, images: np.ndarray, resamples: int, seed: int
) -> np.ndarray:
    """Resampled means over phrases, drawing whole images with replacement.

    Parameters
    ----------
    values : ndarray of float, shape (n_phrases, n_columns)
        NaN where a column has no value for the phrase: it is left out of that mean.
    images : ndarray of int, shape (n_phrases,)
        Image of each phrase.
    resamples : int
    seed : int

    Returns
    -------
    ndarray of float64, shape (resamples, n_columns)
        The same images are drawn for every column, so differences of columns are paired.
    """
    _, index = np.unique(images, return_inverse=True)
    known = ~np.isnan(values)
    n_images = index.max() + 1
    sums = np.zeros((n_images, values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, index, np.where(known, values, 0).astype(np.float64))
    np.add.at(counts, index, known.astype(np.float64))
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may miss a rare column
        return np.concatenate(
            [(w @ sums) / (w @ counts) for w in image_weights(n_images, resamples, seed)]
        )


def interval(means: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of resampled means, (low, high) per column."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(means, [tail, 1 - tail], axis=0)
    return low, high


CONTENDER = ["model", "attribution", "prompt"]


def summarize(
    scores: pd.DataFrame, metrics: list[str], resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Mean and image-clustered bootstrap interval per direction, contender and metric.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``scores.parquet``: one per phrase, direction and contender.
    metrics : list of str
        The columns to average.
    resamples, confidence, seed
        Of the bootstrap.

    Returns
    -------
    DataFrame
        Columns direction, model, attribution, prompt, metric, n_phrases, n_images, mean,
        ci_low, ci_high.
    """
    rows = []
    for direction, own in scores.groupby("direction", sort=True):
        for metric in metrics:
            keys = ["image_id", "narrative", "phrase", *CONTENDER]
            table = own.set_index(keys)[metric].unstack(CONTENDER)
            images = table.index.get_level_values("image_id").to_numpy()
            values = table.to_numpy(dtype=np.float64)
            low, high = interval(bootstrap_means(values, images, resamples, seed), confidence)
            for i, contender in enumerate(table.columns):
                known = ~np.isnan(values[:, i])
                rows.append(
                    {
                        "direction": direction,
                        **dict(zip(CONTENDER, contender, strict=True)),
                        "metric": metric,
                        "n_phrases": int(known.sum()),
                        "n_images": len(np.unique(images[known])),
                        "mean": values[known, i].mean() if known.any() else np.nan,
                        "ci_low": low[i],
                        "ci_high": high[i],
                    }
                )
    return pd.DataFrame(rows)
