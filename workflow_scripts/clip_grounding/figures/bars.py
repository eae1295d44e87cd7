"""The poster's bar chart: every contender's mean score, with its interval, in both directions."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from clip_grounding.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    DIRECTION_LABELS,
    INK,
    LABELS,
    PUBLISHED,
    add_axes,
    house_style,
    text_width,
)

_SIZE = 7
_SMALL = 6
# Inches.
_BAR = 0.13
_GAP = 0.08
_SPACE = 0.13
_ABOVE = 0.62
_BELOW = 0.56
_NARROWEST_PANEL = 1.1


def draw_scores(
    summary: pd.DataFrame,
    models: list[str],
    attributions: list[str],
    metric: str = "poster_iou",
    metric_label: str = "poster score",
    confidence: float = 0.95,
) -> Figure:
    """Draw the means of one metric as bars, a panel per direction, a group per model.

    Parameters
    ----------
    summary : DataFrame
        Rows of ``summary.csv``.
    models, attributions : list of str
        In the order in which they are drawn. Attributions are named where there are several.
    metric, metric_label : str
        The metric and what the axis calls it.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a column, wider where a model's name is very long.
    """
    summary = summary[summary["metric"] == metric]
    groups = list_groups(summary, models, attributions)
    bars = [(bar, y) for bar, y in zip(*_place(groups), strict=True)]
    directions = [name for name in DIRECTION_LABELS if name in set(summary["direction"])]
    names = [_group_label(*group, several=len(attributions) > 1) for group in groups]
    with house_style():
        figure, panels = _lay_out(directions, names, bars)
        limit = 1.05 * np.nanmax(summary[["mean", "ci_high", "published"]].to_numpy(float))
        for axes, direction in zip(panels, directions, strict=True):
            own = summary[summary["direction"] == direction]
            _draw_panel(axes, own, bars, limit)
            axes.set_title(DIRECTION_LABELS[direction], loc="left", fontsize=_SIZE, pad=4)
            axes.set_xlabel(_count_label(own), fontsize=_SMALL, labelpad=2)
        _label_groups(panels, groups, names, bars)
        width, height = figure.get_size_inches()
        note = f"{metric_label}, mean with {confidence:.3g} interval over images"
        note = f"{metric_label}: mean and {100 * confidence:.3g} % interval over images"
        figure.text(0.5, 0.06 / height, note, ha="center", va="bottom", fontsize=_SIZE)
        _add_legend(figure, summary)
    return figure
