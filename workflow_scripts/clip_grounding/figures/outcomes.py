"""The four outcomes of phrases as stacked bars: does the map show what the model uses?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from clip_grounding.figures.style import (
    DIRECTION_LABELS,
    INK,
    LEGEND_ROW,
    OUTCOME_LABELS,
    OUTCOMES,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    add_axes,
    add_legend,
    add_notes,
    add_text,
    house_style,
    shorten,
)

_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_LEFT = 1.9
_GAP = 0.2
_PANEL = (PAGE_WIDTH - _LEFT - _GAP - 2 * _MARGIN) / 2
_ROW = 0.17
_BAR = 0.125
_ABOVE = _MARGIN + LEGEND_ROW + 0.3
_BELOW = 0.62
_NAMED = 0.09
"""The least share that is printed in its part of a bar."""

MOST_ROWS = int((PAGE_HEIGHT - _ABOVE - _BELOW) / _ROW)
"""Bars that fit a page."""


def draw_outcomes(outcomes: pd.DataFrame, confidence: float) -> Figure:
    """Draw the shares of the four outcomes: a bar per model and attribution, a panel per direction.

    Parameters
    ----------
    outcomes : DataFrame
        Rows of ``outcomes.csv``.
    confidence : float
        Of the interval of the phrases that are grounded.

    Returns
    -------
    Figure
        As wide as a page. Those with the largest share of grounded phrases stand first; if there
        are more than fit a page, a note says so.
    """
    rows = matched_shares(outcomes)
    names = rows.groupby(["model", "attribution"], sort=False).ngroups
    order = list(rows[["model", "attribution"]].drop_duplicates().itertuples(index=False))
    order = order[:MOST_ROWS]
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    height = max(1, len(order)) * _ROW
    with house_style():
        figure = Figure(figsize=(PAGE_WIDTH, _ABOVE + height + _BELOW))
        for number, direction in enumerate(directions):
            left = _LEFT + number * (_PANEL + _GAP)
            axes = add_axes(figure, left, _ABOVE, _PANEL, height)
            axes.set(xlim=(0, 1), ylim=(len(order), 0), yticks=[])
            own = rows[rows["direction"] == direction].set_index(["model", "attribution"])
            for place, pair in enumerate(order):
                if pair in own.index:
                    _draw_bar(axes, own.loc[[pair]].set_index("outcome"), place + 0.5)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="x", labelsize=_SMALL, length=2, pad=2)
            axes.set_title(DIRECTION_LABELS[direction], loc="left", fontsize=_SIZE, pad=4)
            axes.set_xlabel(_count_label(own), fontsize=_SMALL, labelpad=2)
        for place, pair in enumerate(order):
            name = shorten(", ".join(pair), 72 * (_LEFT - 2 * _MARGIN), _SMALL)
            add_text(figure, _MARGIN, _ABOVE + (place + 0.62) * _ROW, name, fontsize=_SMALL)
        notes = (
            f"Matched prompt; whiskers: {100 * confidence:g} % interval of the share grounded,"
            " images resampled",
            f"drawn: {len(order)} of {names}" if names > len(order) else "",
        )
        add_notes(figure, notes)
        handles = [
            Patch(facecolor=OUTCOMES[name], label=label) for name, label in OUTCOME_LABELS.items()
        ]
        add_legend(figure, handles, columns=len(handles))
    return figure


def matched_shares(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Select the shares over all phrases of the matched prompt, and of the controls.

    Returns
    -------
    DataFrame
        The pairs of model and attribution with most grounded phrases over the directions first.
    """
    rows = outcomes[(outcomes["slice"] == "all") & outcomes["prompt"].isin(["matched", "none"])]
    pairs = rows[rows["outcome"] == "grounded"].groupby(["model", "attribution"])["mean"].mean()
    rank = rows.set_index(["model", "attribution"]).index.map(-pairs)
    return rows.assign(rank=rank).sort_values("rank", kind="stable").drop(columns="rank")


def _draw_bar(axes: Axes, shares: pd.DataFrame, y: float) -> None:
    """Draw a bar of the outcomes in the order of the legend, and a whisker at the first."""
    left = 0.0
    for name in OUTCOME_LABELS:
        share = shares.loc[name, "mean"]
        axes.barh(y, share, height=_BAR / _ROW, left=left, color=OUTCOMES[name])
        if share >= _NAMED:
            axes.text(
                left + share / 2, y, f"{100 * share:.0f}",
                ha="center", va="center_baseline", fontsize=_SMALL, color=INK,
            )  # fmt: skip
        left += share
    low, high = shares.loc["grounded", ["ci_low", "ci_high"]]
    y += 0.38 * _BAR / _ROW  # below the numbers
    axes.plot([low, high], [y, y], color=INK, linewidth=0.7, solid_capstyle="butt")


def _count_label(rows: pd.DataFrame) -> str:
    counts = sorted({rows["n_phrases"].min(), rows["n_phrases"].max()})
    return f"Share of the {'–'.join(f'{count:,}' for count in counts)} phrases with an outcome"
