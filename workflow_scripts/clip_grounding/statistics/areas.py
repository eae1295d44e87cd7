"""Mean scores by region area: how much of a score is the size of what is looked for?"""

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import (
    FEWEST_IMAGES,
    MEANS,
    Bootstrap,
    cluster_sums,
    mean_table,
)
from clip_grounding.statistics.paired import CONTENDER, pair_scores

EDGES = np.array([0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1])
"""Bins of region area, as shares of the image: the first takes in all that is smaller."""

COLUMNS = [
    "direction",
    *CONTENDER,
    "metric",
    "bin",
    "region_area",
    *MEANS,
]

_METRICS = ["poster_iou", "ap", "chance"]
_LOWEST = 0.0005  # smaller areas count as this one in a bin's geometric mean


def average_by_area(
    scores: pd.DataFrame, model: str, attribution: str, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Mean score of each contender on the phrases of each bin of region area.

    Parameters
    ----------
    scores : DataFrame
        Rows of ``scores.parquet``: of the model and of the baselines at least.
    model, attribution : str
        Whose scores are averaged beside the baselines'.
    bootstrap : Bootstrap
        Of the images.

    Returns
    -------
    DataFrame
        Columns direction, model, attribution, prompt, metric (`poster_iou`, `ap` or `chance`, the
        chance level of `ap`), bin, region_area (geometric mean over the bin's phrases), n_phrases,
        n_images, mean, ci_low, ci_high; these three are NaN over fewer than `FEWEST_IMAGES` images.
    """
    is_own = (scores["model"] == model) & (scores["attribution"] == attribution)
    rows = scores[is_own | (scores["model"] == "baseline")]
    tables = []
    for direction, own in rows.groupby("direction"):
        paired = pair_scores(own)
        phrases = paired.phrases
        columns = [paired.metrics.index(metric) for metric in _METRICS]
        bins = np.digitize(phrases["region_area"], EDGES[1:-1].astype(np.float32))
        is_in = bins[:, None] == np.arange(len(EDGES) - 1)
        values = paired.values[:, :, columns].reshape(len(bins), -1, 1)
        cells = np.where(is_in[:, None, :], values, np.nan).reshape(len(bins), -1)
        sums, counts = cluster_sums(cells, phrases["image"].to_numpy(), paired.n_images)
        names = [
            (direction, *contender, metric, number)
            for contender in paired.contenders
            for metric in _METRICS
            for number in range(len(EDGES) - 1)
        ]
        table = pd.DataFrame(names, columns=["direction", *CONTENDER, "metric", "bin"])
        table["n_images"] = np.count_nonzero(counts, axis=0)
        table["n_phrases"] = counts.sum(axis=0).astype(int)
        known = (table["n_images"] >= FEWEST_IMAGES).to_numpy()
        sums, counts = sums[:, known], counts[:, known]
        means = mean_table(table.loc[known, ["bin"]], sums, counts, bootstrap)
        shown = ["mean", "ci_low", "ci_high"]
        table.loc[known, shown] = means[shown].to_numpy()
        logs = np.log(phrases["region_area"].clip(lower=_LOWEST)).groupby(bins).mean()
        table["region_area"] = np.exp(table["bin"].map(logs))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)[COLUMNS]
