"""Lay out rows of contenders in groups, one per model and attribution."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clip_grounding.figures.style import (
    COLUMN_WIDTH,
    LABELS,
    PAGE_HEIGHT,
    add_axes,
    axes_size,
    text_width,
)

ROW = 0.14
"""Height of a contender's row, in inches where the figure fits a page."""

TITLE = 0.21
"""Room above a panel for the direction's name, in inches."""

_LOWEST_ROW = 0.1  # still has room for a printed value
_GROUP_GAP = 0.09
_MARGIN = 0.08
_NARROWEST_PANEL = 1.15
_NAME_SIZE = 7


def arrange_rows(rows: pd.DataFrame, models: list[str], attributions: list[str]) -> pd.DataFrame:
    """Add each row's group and position.

    Parameters
    ----------
    rows : DataFrame
        Columns ``model``, ``attribution`` and ``contender`` (a key of `style.LABELS`).
    models, attributions : list of str
        In the order in which they are drawn.

    Returns
    -------
    DataFrame
        The rows with ``group`` (0 for the baselines) and ``y``, from the top of the panel to the
        row's middle; a row is `ROW` high.
    """
    rows = rows.assign(
        group=[
            0
            if model == "baseline"
            else 1 + models.index(model) * len(attributions) + attributions.index(attribution)
            for model, attribution in zip(rows["model"], rows["attribution"], strict=True)
        ],
    )
    order = list(LABELS)
    slots = rows[["group", "contender"]].drop_duplicates()
    slots = slots.sort_values(
        ["group", "contender"],
        key=lambda column: column.map(order.index) if column.name == "contender" else column,
    )
    rank = slots["group"].rank(method="dense") - 1
    slots["y"] = (np.arange(len(slots)) + 0.5) * ROW + rank * _GROUP_GAP
    return rows.merge(slots, on=["group", "contender"])


def lay_out_panels(
    rows: pd.DataFrame,
    models: list[str],
    attributions: list[str],
    directions: list[str],
    above: float,
    below: float,
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel per direction and the groups' names at the left.

    Parameters
    ----------
    rows : DataFrame
        The result of `arrange_rows`.
    models, attributions : list of str
        Attributions are named where there are several.
    directions : list of str
    above, below : float
        Room in inches over the panels and their titles, and under the panels.

    Returns
    -------
    Figure
        As wide as a column, wider where a model's name is very long. Rows are made lower where
        it would be higher than a page, as far as their text allows.
    list of Axes
        Their y axis is that of the rows.
    """
    pairs = [(model, attribution) for model in models for attribution in attributions]
    names = [f"{model}\n{how}" if len(attributions) > 1 else model for model, how in pairs]
    groups = rows.groupby("group")["y"].mean()
    labels = [["no model", *names][group] for group in groups.index]
    widest = max(text_width(line, _NAME_SIZE) for name in labels for line in name.split("\n")) / 72
    left = _MARGIN + widest + 0.06
    share = (COLUMN_WIDTH - left) / len(directions) - _MARGIN
    panel = max(share, _NARROWEST_PANEL)
    span = rows["y"].max() + ROW / 2 + 0.04
    room = PAGE_HEIGHT - above - TITLE - below
    inside = span * min(1, max(_LOWEST_ROW / ROW, room / span))
    size = (left + len(directions) * (panel + _MARGIN), above + TITLE + inside + below)
    figure = Figure(figsize=size)
    panels = []
    for number in range(len(directions)):
        x = left + number * (panel + _MARGIN)
        axes = add_axes(figure, x, above + TITLE, panel, inside)
        axes.set(ylim=(span, -0.04), yticks=[])
        panels.append(axes)
    panels[0].set_yticks(groups, labels, fontsize=_NAME_SIZE)
    panels[0].tick_params(axis="y", length=0)
    return figure, panels


def panel_width(axes: Axes) -> float:
    """Return the width of a panel in inches."""
    return axes_size(axes)[0]
