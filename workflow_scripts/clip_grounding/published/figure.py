"""Draw the published scores against region area, with the expected score of the empty mask."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clip_grounding.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    COUNTS,
    INK,
    LABELS,
    add_axes,
    add_text,
    house_style,
)
from clip_grounding.published.reanalysis import empty_score, random_score

_SIZE = 7
_SMALL = 6
_LOWEST = 0.0025  # stands for 0 on the log axis
# In inches.
_LEFT = 0.42
_RIGHT = 0.12
_ABOVE = 0.42  # two legend rows
_SCORES = 1.75
_GAP = 0.12
_COUNTS = 0.4
_BELOW = 0.56  # tick labels, the axis label and the note
_MARGIN = 0.08

_EXPECTED = {"empty": (0, (4, 1.5)), "random": (0, (1, 1))}
"""Contenders whose score follows from the area, with the dashes of their lines."""

_TICKS = {
    _LOWEST: "0",
    0.005: "0.5",
    0.01: "1",
    0.02: "2",
    0.05: "5",
    0.1: "10",
    0.2: "20",
    0.5: "50",
}


def draw_scores_by_area(curves: pd.DataFrame, confidence: float) -> Figure:
    """Draw mean published scores against region area, with each bin's share of phrases below.

    Parameters
    ----------
    curves : DataFrame
        As made by `reanalysis.scores_by_area`.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a column.
    """
    height = _ABOVE + _SCORES + _GAP + _COUNTS + _BELOW
    width = COLUMN_WIDTH - _LEFT - _RIGHT
    with house_style():
        figure = Figure(figsize=(COLUMN_WIDTH, height))
        scores = add_axes(figure, _LEFT, _ABOVE, width, _SCORES)
        counts = add_axes(figure, _LEFT, _ABOVE + _SCORES + _GAP, width, _COUNTS)
        _draw_curves(scores, curves)
        _draw_counts(counts, curves[curves["contender"] == curves["contender"].iloc[0]])
        for axes in (scores, counts):
            axes.set_xscale("log")
            axes.set_xlim(_LOWEST, 0.5)
            axes.minorticks_off()
            axes.set_xticks(list(_TICKS), [])
            axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)
        counts.set_xticks(list(_TICKS), list(_TICKS.values()))
        counts.set_xlabel("Region area, % of the padded image", fontsize=_SIZE, labelpad=2)
        note = f"published scores; bands: {100 * confidence:g} % interval, narratives resampled"
        add_text(figure, _MARGIN, height - _MARGIN, note, fontsize=_SMALL)
        figure.legend(
            handles=_legend_handles(),
            loc="upper left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            fontsize=_SMALL,
            frameon=False,
            borderpad=0.6,
            labelspacing=0.4,
            columnspacing=1.4,
            handlelength=1.6,
        )
    return figure


def _draw_curves(axes: Axes, curves: pd.DataFrame) -> None:
    areas = np.geomspace(_LOWEST, 0.5, 200)
    axes.plot(areas, empty_score(areas), **_looks("empty"))
    axes.plot(areas, random_score(areas), **_looks("random"))
    for contender, own in curves.groupby("contender"):
        centers = np.sqrt(own["area_from"].clip(lower=_LOWEST) * own["area_to"])
        looks = _looks(contender)
        axes.fill_between(
            centers, own["ci_low"], own["ci_high"], color=looks["color"], alpha=0.4, linewidth=0
        )
        axes.plot(centers, own["mean"], **looks)
    axes.set_ylabel("Mean poster score", fontsize=_SIZE, labelpad=3)
    axes.set_ylim(0.2, 0.6)
    axes.set_yticks([0.2, 0.3, 0.4, 0.5, 0.6])


def _draw_counts(axes: Axes, bins: pd.DataFrame) -> None:
    left = bins["area_from"].clip(lower=_LOWEST)
    share = 100 * bins["n_phrases"] / bins["n_phrases"].sum()
    axes.bar(
        left, share, width=bins["area_to"] - left, align="edge",
        color=COUNTS, edgecolor="white", linewidth=0.6,
    )  # fmt: skip
    for start, stop, value in zip(left, bins["area_to"], share, strict=True):
        axes.annotate(
            f"{value:.0f}",
            (np.sqrt(start * stop), 0),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=_SMALL,
            color=INK,
        )
    axes.set_ylabel("% of\nphrases", fontsize=_SMALL, labelpad=3)
    axes.set_yticks([])


def _looks(contender: str) -> dict:
    if contender in _EXPECTED:
        return {"color": COLORS[contender], "linewidth": 1.2, "linestyle": _EXPECTED[contender]}
    # Thin, so that the band around it shows.
    return {"color": COLORS[contender], "linewidth": 0.6, "marker": "o", "markersize": 2}


def _legend_handles() -> list[Line2D]:
    return [
        Line2D([], [], label=LABELS[contender] + suffix, **_looks(contender))
        for suffix, contenders in (("", ["matched", "unimodal"]), (", expected", _EXPECTED))
        for contender in contenders
    ]
