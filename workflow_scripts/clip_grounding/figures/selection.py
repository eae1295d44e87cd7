"""What a figure draws of the tables: which rows of a summary, and which contender each is."""

import pandas as pd

MOST_PAIRS = 20
"""Models with attributions that a chart with a group or a panel for each has room for."""


def pooled_means(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of one metric over all phrases, each phrase weighing the same."""
    rows = (summary["metric"] == metric) & (summary["slice"] == "all")
    return summary[rows & (summary["average"] == "phrase")]


def name_contenders(table: pd.DataFrame) -> pd.Series:
    """Name each row's contender as `style.LABELS` does: a baseline, or a model's prompt."""
    return table["attribution"].where(table["model"] == "baseline", table["prompt"])


def keep_best(rows: pd.DataFrame, values: pd.Series) -> tuple[pd.DataFrame, str]:
    """Leave out what a chart has no room for: all but the `MOST_PAIRS` best pairs.

    Pairs of model and attribution are taken from the top of every direction's ranking, in turn.

    Parameters
    ----------
    rows : DataFrame
        Columns direction, model and attribution.
    values : Series
        What each row counts in its pair's ranking; missing where it does not.

    Returns
    -------
    DataFrame
        The rows of those pairs, and of the baselines.
    str
        A notice of what is left out, empty where nothing is.
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
    """Rows of one model and attribution and of the baselines, with the column ``contender``."""
    own = (table["model"] == model) & (table["attribution"] == attribution)
    rows = table[own | (table["model"] == "baseline")]
    return rows.assign(contender=name_contenders(rows))


def chance_levels(summary: pd.DataFrame) -> pd.Series:
    """Chance level of average precision by direction: the mean share of what is right.

    Every contender of a direction is compared on the same phrases, but ``mismatched``, which
    some phrases lack.
    """
    levels = pooled_means(summary, "chance")
    return levels[levels["prompt"] != "mismatched"].groupby("direction")["mean"].first()
