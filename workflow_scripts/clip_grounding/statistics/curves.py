"""Mean foreground IoU at every threshold, with intervals from resampling the images."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clip_grounding.statistics.bootstrap import Bootstrap, mean_table

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
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Mean foreground IoU over phrases at each threshold.

    Parameters
    ----------
    tables : iterable of ((model, attribution, direction), DataFrame)
        Rows of `scores.THRESHOLDS` of each evaluation, see `tables.read_evaluations`.
    bootstrap : Bootstrap
        Of the images.

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
        names = wide["n_phrases"].columns.to_frame(index=False)
        names = names.assign(model=model, attribution=attribution, direction=direction)
        curves.append(mean_table(names, sums, counts, bootstrap))
    return pd.concat(curves, ignore_index=True)[COLUMNS]
