"""Draw score against region area: how much of a score is due to the size of the region?"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clip_grounding.figures.curves import CHANCE_LOOKS, chance_handle, curve_handles, draw_curve
from clip_grounding.figures.selection import of_model
from clip_grounding.figures.style import (
    BASELINES,
    COUNTS,
    DIRECTION_LABELS,
    INK,
    LABELS,
    LEGEND_ROW,
    add_axes,
    add_legend,
    add_text,
    house_style,
    shorten,
)
from clip_grounding.statistics.areas import EDGES

_ROWS = {"poster_iou": "Mean poster score", "ap": "Mean strict AP"}
_LOWEST = 0.0005  # where a log axis begins
_TICKS = {edge: f"{100 * edge:g}" for edge in EDGES[1:]}
_SIZE = 7
_SMALL = 6
# In inches.
_LEFT = 0.42
_PANEL = 2.84
_BETWEEN = 0.28
_MARGIN = 0.08
_TITLE = 0.21
_SCORES = 1.45
_GAP = 0.12
_COUNTS = 0.4
_BELOW = 0.52  # tick labels, the axis label and the note


def draw_area(curves: pd.DataFrame, model: str, attribution: str, confidence: float) -> Figure:
    """Draw the means by region area: a column per direction, a row per protocol.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``areas.csv``, see `clip_grounding.statistics.areas.average_by_area`.
    model, attribution : str
        Whose means are drawn beside the baselines'.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
    """
    curves = of_model(curves, model, attribution)
    directions = [name for name in DIRECTION_LABELS if name in set(curves["direction"])]
    with house_style():
        handles = [
            *curve_handles(curves["contender"]),
            chance_handle("chance level of AP: the empty mask's"),
        ]
        columns = 3 if len(directions) > 1 else 2
        above = _MARGIN + LEGEND_ROW * -(-len(handles) // columns) + _TITLE
        bottom = above + 2 * (_SCORES + _GAP) + _COUNTS
        width = _LEFT + len(directions) * (_PANEL + _BETWEEN) - _BETWEEN + 0.14
        figure = Figure(figsize=(width, bottom + _BELOW))
        for number, direction in enumerate(directions):
            left = _LEFT + number * (_PANEL + _BETWEEN)
            own = curves[curves["direction"] == direction]
            for row, (metric, label) in enumerate(_ROWS.items()):
                axes = add_axes(figure, left, above + row * (_SCORES + _GAP), _PANEL, _SCORES)
                _draw_means(axes, own, metric)
                axes.set_ylim(0, _top_of(curves, metric))
                _share_x(axes)
                if number == 0:
                    axes.set_ylabel(label, fontsize=_SIZE, labelpad=3)
                if row == 0:
                    title = DIRECTION_LABELS[direction]
                    axes.set_title(title, loc="left", fontsize=_SIZE, pad=4)
            axes = add_axes(figure, left, bottom - _COUNTS, _PANEL, _COUNTS)
            _draw_counts(axes, own)
            _share_x(axes)
            axes.set_xticks(list(_TICKS), list(_TICKS.values()))
            axes.set_xlabel("Region area, % of the image", fontsize=_SIZE, labelpad=2)
            if number == 0:
                axes.set_ylabel("% of\nphrases", fontsize=_SMALL, labelpad=3)
        note = f"{model}, {attribution}; bands: {100 * confidence:g} % interval, images resampled"
        note = shorten(note, 72 * (width - 2 * _MARGIN), _SMALL)
        add_text(figure, _MARGIN, bottom + _BELOW - _MARGIN, note, fontsize=_SMALL)
        add_legend(figure, handles, columns)
    return figure


def _draw_means(axes: Axes, curves: pd.DataFrame, metric: str) -> None:
    known = curves.dropna(subset="mean")
    own = known[known["metric"] == metric]
    drawn_as_chance = [name for name, baseline in BASELINES.items() if baseline.is_chance]
    names = [name for name in LABELS if metric != "ap" or name not in drawn_as_chance]
    for contender in (name for name in names if name in set(own["contender"])):
        curve = own[own["contender"] == contender]
        draw_curve(axes, curve["region_area"], curve, contender, marker="o", markersize=2)
    if metric == "ap":
        chance = known[(known["metric"] == "chance") & (known["contender"] != "mismatched")]
        chance = chance[chance["contender"] == chance["contender"].min()]
        axes.plot(chance["region_area"], chance["mean"], **CHANCE_LOOKS)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _top_of(curves: pd.DataFrame, metric: str) -> float:
    """Return the upper end of a row's axis, the same in both directions."""
    highest = curves.loc[curves["metric"] == metric, "ci_high"].max()
    return 1.05 * highest if highest > 0 else 1


def _draw_counts(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw, as bars, the share per bin of the phrases that the strict means are over."""
    counts = curves[curves["metric"] == "ap"].groupby("bin")["n_phrases"].max()
    left = EDGES[counts.index].clip(min=_LOWEST)
    right = EDGES[counts.index + 1]
    share = 100 * counts.to_numpy() / counts.sum()
    axes.bar(
        left, share, width=right - left, align="edge",
        color=COUNTS, edgecolor="white", linewidth=0.6,
    )  # fmt: skip
    for x, value in zip(np.sqrt(left * right), share, strict=True):
        label = "<1" if 0 < value < 0.5 else f"{value:.0f}"
        axes.annotate(
            label, (x, 0), xytext=(0, 2), textcoords="offset points",
            ha="center", va="bottom", fontsize=_SMALL, color=INK,
        )  # fmt: skip
    axes.set_yticks([])


def _share_x(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_LOWEST, 1)
    axes.minorticks_off()
    axes.set_xticks(list(_TICKS), [])
    axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)
