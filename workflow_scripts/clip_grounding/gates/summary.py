"""Average the gates' statistics over the images, and decide which of them are passed."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from clip_grounding.gates.bounds import LEVEL, upper_bounds
from clip_grounding.gates.columns import LIMITS
from clip_grounding.statistics.bootstrap import FEWEST_IMAGES, Bootstrap, image_sums, mean_table

GATES = pa.schema(
    [
        *((name, pa.string()) for name in ("direction", "model", "attribution")),
        *((name, pa.string()) for name in ("gate", "statistic")),
        ("depth", pa.int32()),
        ("layer", pa.string()),
        *(("n_phrases", pa.int64()), ("n_images", pa.int64())),
        *((name, pa.float64()) for name in ("mean", "ci_low", "ci_high", "bound", "limit")),
        ("passed", pa.bool_()),
    ]
)
"""A row per evaluation and statistic; of the gate ``curve``, which has no limit, per depth."""

_STATISTIC = ["gate", "statistic", "depth", "layer"]
_Table = tuple[tuple[str, str, str], pd.DataFrame]


def summarize_gates(tables: Iterable[_Table], bootstrap: Bootstrap) -> pd.DataFrame:
    """Average every statistic and hold its upper bound against its limit.

    The bounds are those of a one-sided test at 5 %, divided by the number of methods that are
    tested on the model in the direction (Bonferroni): a method that deserves to fail passes with
    a chance of at most 5 %, however many there are.

    Parameters
    ----------
    tables : iterable of ((model, attribution, direction), DataFrame)
        Rows of `columns.MEASURED`.
    bootstrap : Bootstrap
        Of the images, for the intervals.

    Returns
    -------
    DataFrame
        The columns `GATES`. A statistic of fewer than 5 images is never passed.
    """
    tables = list(tables)
    family = Counter((model, direction) for (model, _, direction), _ in tables)
    rows = [
        _average(table, bootstrap, LEVEL / family[model, direction]).assign(
            direction=direction, model=model, attribution=attribution
        )
        for (model, attribution, direction), table in tables
        if len(table)
    ]
    if not rows:
        return GATES.empty_table().to_pandas()
    return pd.concat(rows, ignore_index=True)[GATES.names]


def _average(table: pd.DataFrame, bootstrap: Bootstrap, level: float) -> pd.DataFrame:
    means = []
    for names, own in table.groupby(_STATISTIC, dropna=False, sort=False):
        sums, counts = image_sums(own[["value"]].to_numpy(np.float64), own["image_id"].to_numpy())
        mean = mean_table(pd.DataFrame([names], columns=_STATISTIC), sums, counts, bootstrap)
        limit = LIMITS.get(names[:2], np.nan)
        (bound,) = upper_bounds(sums, counts, level)
        is_passed = bool(bound < limit and mean["n_images"][0] >= FEWEST_IMAGES)
        means.append(
            mean.assign(
                bound=np.nan if np.isnan(limit) else bound,
                limit=limit,
                passed=None if np.isnan(limit) else is_passed,
            )
        )
    return pd.concat(means, ignore_index=True)
