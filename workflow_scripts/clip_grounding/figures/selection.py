"""What a figure draws of the tables: which rows of a summary, and which contender each is."""

from pathlib import Path

import pandas as pd

CHANCE = "area"
"""The metric whose mean is the chance level of average precision: the empty mask's score."""

FEWEST_IMAGES = 5
"""A mean over fewer images is not drawn: resampling them says little."""


def read_summary(path: str | Path) -> pd.DataFrame:
    """Read a table of means (CSV), in which only an empty cell means missing.

    By itself pandas would take the prompt ``null`` for a missing value.
    """
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def pooled_means(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Rows of one metric over all phrases, each phrase weighing the same."""
    rows = (summary["metric"] == metric) & (summary["slice"] == "all")
    return summary[rows & (summary["average"] == "phrase")]


def name_contenders(table: pd.DataFrame) -> pd.Series:
    """Name each row's contender as `style.LABELS` does: a baseline, or a model's prompt."""
    return table["attribution"].where(table["model"] == "baseline", table["prompt"])


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
    areas = pooled_means(summary, CHANCE)
    return areas[areas["prompt"] != "mismatched"].groupby("direction")["mean"].first()
