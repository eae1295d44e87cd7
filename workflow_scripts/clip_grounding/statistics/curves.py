"""Mean foreground IoU at every threshold, with intervals from resampling the images."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import interval, resampled_means

COLUMNS = [
    "model",
    "attribution",
    "direction",
    "prompt",
    "level",
    "n_phrases",
    "mean",
    "ci_low",
    "ci_high",
]


def average_curves(
    tables: Iterable[tuple[tuple[str, str, str], pd.DataFrame]],
    resamples: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """Mean foreground IoU over phrases at each threshold.

    Parameters
    ----------
    tables : iterable of ((model, attribution, direction), DataFrame)
        Rows of `scores.THRESHOLDS` of each evaluation, see `tables.read_evaluations`.
    resamples, confidence, seed
        Of the bootstrap over images.

    Returns
    -------
    DataFrame
        Columns model, attribution, direction, prompt, level, n_phrases, mean, ci_low, ci_high.
    """
    curves = []
    for (model, attribution, direction), table in tables:
        wide = table.pivot_table(
            index="image_id",
            columns=["prompt", "level"],
            values=["iou_sum", "n_phrases"],
            aggfunc="sum",
            fill_value=0,
        )
        sums, counts = (wide[name].to_numpy(np.float64) for name in ("iou_sum", "n_phrases"))
        means = resampled_means(sums, counts, resamples, seed)
        low, high = interval(means, confidence, np.count_nonzero(counts, axis=0))
        curve = (
            wide["n_phrases"]
            .columns.to_frame(index=False)
            .assign(
                model=model,
                attribution=attribution,
                direction=direction,
                n_phrases=counts.sum(axis=0).astype(int),
                mean=sums.sum(axis=0) / counts.sum(axis=0),
                ci_low=low,
                ci_high=high,
            )
        )
        curves.append(curve)
    return pd.concat(curves, ignore_index=True)[COLUMNS]
