"""Draw AP against faithfulness: does a map that looks right show what the model uses?"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clip_grounding.figures.style import (
    COLORS,
    COUNTS,
    DIRECTION_LABELS,
    FAINT,
    INK,
    PAGE_WIDTH,
    add_axes,
    add_notes,
    add_text,
    house_style,
    shorten,
)

MOST_NAMED = 12
"""The largest number of points of a panel that are named beside it: the most faithful."""

_PAIR = ["model", "attribution"]
_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_LEFT = 0.5
_PANEL = 2.75
_HEIGHT = 2.75
_NAMES = _LEFT + _PANEL + 0.42  # where names begin, right of a panel
_LINE = 0.22  # from name to name
_TITLE = 0.26
_TICKS = 0.44  # tick and axis labels
_BELOW = 0.36  # the notes


def draw_evidence(evidence: pd.DataFrame, confidence: float) -> Figure:
    """Draw mean faithfulness against mean strict AP of the same phrases, a panel per direction.

    Parameters
    ----------
    evidence : DataFrame
        Rows of ``evidence.csv``.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a page.
    """
    rows = evidence[evidence["slice"] == "all"]
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    block = _TITLE + _HEIGHT + _TICKS
    height = block * len(directions) + _BELOW
    with house_style():
        figure, is_cut = Figure(figsize=(PAGE_WIDTH, height)), False
        for number, direction in enumerate(directions):
            own = rows[rows["direction"] == direction]
            top = number * block
            title = DIRECTION_LABELS[direction]
            add_text(figure, _MARGIN, top + 0.16, title, fontsize=_SIZE, fontweight="bold")
            axes = add_axes(figure, _LEFT, top + _TITLE, _PANEL, _HEIGHT)
            points = place_points(own)
            _draw_points(axes, points)
            _name_points(figure, axes, points.iloc[:MOST_NAMED], top + _TITLE)
            is_cut |= len(points) > MOST_NAMED
        notes = (
            f"Matched prompt; {100 * confidence:g} % intervals, images resampled; grey: random;"
            " beside each name AP and faithfulness",
            f"named: the {MOST_NAMED} most faithful of a direction" if is_cut else "",
        )
        add_notes(figure, notes)
    return figure


def place_points(rows: pd.DataFrame) -> pd.DataFrame:
    """Join a direction's faithfulness with the AP of the same phrases.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``evidence.csv`` of one direction, over all phrases.

    Returns
    -------
    DataFrame
        Columns model, attribution, and mean, ci_low and ci_high of both with the endings ``_x``
        (AP) and ``_y`` (faithfulness); the most faithful first. Random maps have the AP of the
        baseline.
    """
    values = [*_PAIR, "mean", "ci_low", "ci_high"]
    precision, faithful = (
        rows[(rows["metric"] == metric) & rows["prompt"].isin(["matched", "none"])]
        for metric in ("ap", "faithfulness")
    )
    own = precision[precision["prompt"] == "matched"][values]
    random = precision[(precision["model"] == "baseline") & (precision["attribution"] == "random")]
    models = faithful.loc[faithful["attribution"] == "random", ["model"]]
    random = models.merge(random[values].drop(columns="model"), how="cross")
    points = pd.concat([own, random]).merge(faithful[values], on=_PAIR, suffixes=("_x", "_y"))
    return points.sort_values(["mean_y", *_PAIR], ascending=False, ignore_index=True)


def _draw_points(axes: Axes, points: pd.DataFrame) -> None:
    is_random = points["attribution"] == "random"
    axes.axhline(0, color=FAINT, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
    for own, color in ((points[is_random], FAINT), (points[~is_random], COLORS["matched"])):
        axes.errorbar(
            own["mean_x"], own["mean_y"],
            xerr=[own["mean_x"] - own["ci_low_x"], own["ci_high_x"] - own["mean_x"]],
            yerr=[own["mean_y"] - own["ci_low_y"], own["ci_high_y"] - own["mean_y"]],
            color=color, marker="o", markersize=3, linestyle="none", elinewidth=0.6, zorder=3,
        )  # fmt: skip
    axes.margins(0.08)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)
    axes.set_xlabel("Mean strict AP: does the map show the region?", fontsize=_SMALL, labelpad=2)
    axes.set_ylabel("Mean faithfulness: what the model uses?", fontsize=_SMALL, labelpad=3)


def _name_points(figure: Figure, axes: Axes, named: pd.DataFrame, top: float) -> None:
    """List points beside the panel by faithfulness, each joined to its point by a line."""
    if named.empty:
        return
    across, down = figure.get_size_inches()
    low, high = axes.get_ylim()
    # As close to their points as possible without touching each other.
    places = _HEIGHT * (high - named["mean_y"].to_numpy()) / (high - low)
    steps = _LINE * np.arange(len(places))
    places = steps + np.maximum.accumulate(places - steps)
    places = steps + np.minimum(places - steps, max(0, _HEIGHT - 0.05 - steps[-1]))
    for point, place in zip(named.itertuples(), places, strict=True):
        y = top + place
        axes.annotate(
            "", (point.mean_x, point.mean_y),
            xytext=((_NAMES - 0.04) / across, 1 - (y - 0.03) / down), textcoords="figure fraction",
            arrowprops={"arrowstyle": "-", "color": COUNTS, "linewidth": 0.5, "shrinkB": 2},
            annotation_clip=False, zorder=1,
        )  # fmt: skip
        numbers = f"{point.mean_x:.3f}, {point.mean_y:.3f}".replace("-", "−")
        room = 72 * (across - _NAMES - _MARGIN)
        name = shorten(f"{point.model}, {point.attribution}", room - 60, _SMALL)
        color = FAINT if point.attribution == "random" else INK
        add_text(figure, _NAMES, y, f"{name}: {numbers}", fontsize=_SMALL, color=color)
