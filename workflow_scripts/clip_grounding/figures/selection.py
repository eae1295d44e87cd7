"""Select the rows that a figure draws, and name the contender of each."""

import pandas as pd

MOST_PAIRS = 20
"""The largest number of groups or panels, one per model and attribution, in a chart."""


def pooled_means(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the rows of one metric over all phrases, each phrase with the same weight."""
    rows = (summary["metric"] == metric) & (summary["slice"] == "all")
    return summary[rows & (summary["average"] == "phrase")]


def name_contenders(table: pd.DataFrame) -> pd.Series:
    """Name each row's contender as `style.LABELS` does: a baseline, or a model's prompt."""
    return table["attribution"].where(table["model"] == "baseline", table["prompt"])


def keep_best(rows: pd.DataFrame, values: pd.Series) -> tuple[pd.DataFrame, str]:
    """Keep only the `MOST_PAIRS` best pairs, as many as a chart has room for.

    Pairs of model and attribution are taken from the top of each direction's ranking in turn.

    Parameters
    ----------
    rows : DataFrame
        Columns direction, model and attribution.
    values : Series
        Value of each row in its pair's ranking; missing where it has none.

    Returns
    -------
    DataFrame
        The rows of those pairs, and of the baselines.
    str
        A note on what is left out; empty where nothing is.
    """
    pair = ["model", "attribution"]
    is_baseline = rows["model"] == "baseline"
    means = rows.assign(value=values)[~is_baseline].groupby(["direction", *pair], sort=False)
    ranks = means["value"].mean().groupby("direction").rank(ascending=False, method="first")
    best = ranks.groupby(pair, sort=False).min().sort_values(kind="stable").index
    kept = pd.MultiIndex.from_frame(rows[pair]).isin(best[:MOST_PAIRS])
    notice = f"the best {MOST_PAIRS} of {len(best)} models with attributions; all: rankings.csv"
    return rows[kept | is_baseline], notice if len(best) > MOST_PAIRS else ""


def of_model(table: pd.DataFrame, model: str, attribution: str) -> pd.DataFrame:
    """Return the rows of one model and attribution and the baselines, with ``contender``."""
    own = (table["model"] == model) & (table["attribution"] == attribution)
    rows = table[own | (table["model"] == "baseline")]
    return rows.assign(contender=name_contenders(rows))


def chance_levels(summary: pd.DataFrame) -> pd.Series:
    """Return the chance level of average precision by direction: the mean share that is right.

    Every contender of a direction is compared on the same phrases, except ``mismatched``, which
    some phrases lack.
    """
    levels = pooled_means(summary, "chance")
    return levels[levels["prompt"] != "mismatched"].groupby("direction")["mean"].first()
