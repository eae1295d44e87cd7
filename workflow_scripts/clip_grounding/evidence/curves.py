"""Mean similarity while patches or words are removed, with intervals from resampling the images."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from clip_grounding.evidence.columns import STEPS
from clip_grounding.statistics.bootstrap import Bootstrap, image_sums, mean_table
from clip_grounding.vocabulary import CONTENDER

REMOVAL_CURVES = pa.schema(
    [
        ("direction", pa.string()),
        *((name, pa.string()) for name in CONTENDER),
        ("order", pa.string()),
        ("removed", pa.float64()),
        *(("n_phrases", pa.int64()), ("n_images", pa.int64())),
        *((name, pa.float64()) for name in ("mean", "ci_low", "ci_high")),
    ]
)
"""A row per direction, contender, order (``morf`` or ``lerf``) and share of the units removed."""


def average_removal(
    tables: Iterable[tuple[tuple[str, str, str], pd.DataFrame]], bootstrap: Bootstrap
) -> pd.DataFrame:
    """Average the similarities at each step of the removal over the phrases.

    Parameters
    ----------
    tables : iterable of ((model, attribution, direction), DataFrame)
        Rows of `columns.REMOVAL`.
    bootstrap : Bootstrap
        Of the images.

    Returns
    -------
    DataFrame
        Columns `REMOVAL_CURVES`. At ``removed`` 0 both orders have the whole input's similarity.
        Left-out phrases are in no mean; where all are left out there is no row.
    """
    means = [
        _average_prompt(own, bootstrap).assign(
            direction=direction, model=model, attribution=attribution, prompt=prompt
        )
        for (model, attribution, direction), table in tables
        for prompt, own in table[table["excluded"].isna()].groupby("prompt", observed=True)
    ]
    if not means:
        return REMOVAL_CURVES.empty_table().to_pandas()
    return pd.concat(means, ignore_index=True)[REMOVAL_CURVES.names]


def _average_prompt(rows: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    whole = rows["similarity"].to_numpy(np.float64)[:, None]
    curves = [np.hstack([whole, np.stack(rows[order].to_list())]) for order in ("morf", "lerf")]
    steps = pd.DataFrame(
        {
            "order": np.repeat(["morf", "lerf"], STEPS),
            "removed": np.tile(np.arange(STEPS) / STEPS, 2),
        }
    )
    return mean_table(steps, *image_sums(np.hstack(curves), rows["image_id"]), bootstrap)
