"""The mean of every step from the poster's protocol to the strict one, and of its change."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clip_grounding.scoring.waterfall import STEPS
from clip_grounding.statistics.bootstrap import bootstrap_means, count_images, interval


def summarize_waterfall(
    tables: Iterable[tuple[tuple[str, str, str], pd.DataFrame]],
    resamples: int,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """Mean of every step, and of its change from the step before.

    Parameters
    ----------
    tables : iterable of ((model, attribution, direction), DataFrame)
        Rows of `WATERFALL` of each evaluation, see `tables.read_evaluations`.
    resamples, confidence, seed
        Of the bootstrap over images.

    Returns
    -------
    DataFrame
        Columns direction, model, attribution, prompt, step, n_phrases, mean, ci_low, ci_high,
        change, change_low, change_high.
    """
    rows = []
    for (model, attribution, direction), table in tables:
        for prompt, own in table.groupby("prompt"):
            wide = own.set_index(["image_id", "narrative", "phrase", "step"])["score"].unstack()
            values = wide[STEPS[direction]].to_numpy(dtype=np.float64)
            images = wide.index.get_level_values("image_id").to_numpy()
            resampled = bootstrap_means(values, images, resamples, seed)
            means = np.nanmean(values, axis=0)
            n_images = count_images(values, images)
            low, high = interval(resampled, confidence, n_images)
            change_low, change_high = interval(
                np.diff(resampled, axis=1), confidence, np.minimum(n_images[1:], n_images[:-1])
            )
            for i, step in enumerate(STEPS[direction]):
                first = i == 0
                rows.append(
                    {
                        "direction": direction,
                        "model": model,
                        "attribution": attribution,
                        "prompt": prompt,
                        "step": step,
                        "n_phrases": int((~np.isnan(values[:, i])).sum()),
                        "mean": means[i],
                        "ci_low": low[i],
                        "ci_high": high[i],
                        "change": np.nan if first else means[i] - means[i - 1],
                        "change_low": np.nan if first else change_low[i - 1],
                        "change_high": np.nan if first else change_high[i - 1],
                    }
                )
    return pd.DataFrame(rows)
