"""The mean of every step from the poster's protocol to the strict one, and of its change."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clip_grounding.scoring.waterfall import STEPS
from clip_grounding.statistics.bootstrap import Bootstrap, change_table, image_sums, mean_table
from clip_grounding.vocabulary import EVALUATION

COLUMNS = [
    *EVALUATION,
    "prompt",
    "step",
    "n_phrases",
    "mean",
    "ci_low",
    "ci_high",
    "change",
    "change_low",
    "change_high",
]


def summarize_waterfall(
    tables: Iterable[tuple[tuple[str, str, str], pd.DataFrame]],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Mean of every step, and of its change from the step before.

    Parameters
    ----------
    tables : iterable of ((model, attribution, direction), DataFrame)
        Rows of `WATERFALL` of each evaluation, see `tables.read_evaluations`.
    bootstrap : Bootstrap
        Of the images.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, step by step.
    """
    steps = []
    for (model, attribution, direction), table in tables:
        for prompt, own in table.groupby("prompt"):
            wide = own.set_index(["image_id", "narrative", "phrase", "step"])["score"].unstack()
            values = wide[STEPS[direction]].to_numpy(dtype=np.float64)
            sums, counts = image_sums(values, wide.index.get_level_values("image_id").to_numpy())
            names = pd.DataFrame({"direction": direction, "model": model}, STEPS[direction])
            names = names.assign(attribution=attribution, prompt=prompt, step=names.index)
            means = mean_table(names, sums, counts, bootstrap)
            steps.append(means.join(change_table(sums, counts, bootstrap)))
    return pd.concat(steps, ignore_index=True)[COLUMNS]
