"""Draw the paired differences between matched relevance and each reference, for every model."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clip_grounding.figures.groups import arrange_rows, lay_out_panels, panel_width
from clip_grounding.figures.selection import keep_best
from clip_grounding.figures.style import (
    BASELINES,
    COLORS,
    DIRECTION_LABELS,
    INK,
    LABELS,
    LEGEND_ROW,
    NOTE_LINE,
    add_legend,
    add_notes,
    house_style,
    text_width,
)

LEVEL = 0.05
"""Differences whose corrected p-value is not below this level are drawn hollow."""

REFERENCES = (
    *(name for name, baseline in BASELINES.items() if not baseline.is_chance),
    "unimodal",
    "mismatched",
)
"""What is drawn. The empty mask's AP is the chance level, which a random ranking exceeds."""

_METRIC = "ap"
_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_BELOW = 0.5  # tick labels, the axis label and the note
_VALUE = 0.36  # room for a printed value
_DOT = 0.06  # room left of the lowest interval


def draw_differences(
    comparisons: pd.DataFrame, models: list[str], attributions: list[str], confidence: float
) -> Figure:
    """Draw matched minus each reference in strict AP: a panel per direction, a group per model.

    Parameters
    ----------
    comparisons : DataFrame
        Rows of ``comparisons.csv``. Those against `REFERENCES` are drawn.
    models, attributions : list of str
        In the order in which they are drawn. Attributions are named where there are several.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a column, wider where a model's name is very long. Of many models and
        attributions those with the largest mean difference are drawn, and a note says so.
    """
    rows = _own_references(comparisons)
    rows, notice = keep_best(rows, rows["difference"])
    rows = arrange_rows(rows, models, attributions)
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    low, high = min(rows["ci_low"].min(), 0), max(rows["ci_high"].max(), 0)
    with house_style():
        legend = _legend_handles(rows)
        above = _MARGIN + LEGEND_ROW * -(-len(legend) // 2)
        below = _BELOW + (NOTE_LINE if notice else 0)
        figure, panels = lay_out_panels(rows, models, attributions, directions, above, below)
        for axes, direction in zip(panels, directions, strict=True):
            _scale(axes, low, high)
            axes.axvline(0, color=INK, linewidth=0.6, zorder=1)
            _draw_rows(axes, rows[rows["direction"] == direction])
            axes.tick_params(axis="x", labelsize=_SMALL, length=2, pad=2)
            axes.spines["left"].set_visible(False)
            axes.set_title(DIRECTION_LABELS[direction], loc="left", fontsize=_SIZE, pad=4)
            axes.set_xlabel("Difference in strict AP", fontsize=_SMALL, labelpad=2)
        note = f"mean difference and {100 * confidence:g} % interval, images resampled"
        add_notes(figure, [note, notice])
        add_legend(figure, legend, columns=2)
    return figure


def _own_references(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Return the rows against `REFERENCES`, with the reference as ``contender`` for its colour."""
    is_baseline = comparisons["reference_model"] == "baseline"
    references = comparisons["reference_attribution"].where(
        is_baseline, comparisons["reference_prompt"]
    )
    drawn = references.isin(REFERENCES) & (comparisons["metric"] == _METRIC)
    return comparisons.assign(contender=references)[drawn]


def _scale(axes: Axes, low: float, high: float) -> None:
    """Leave room for values to the right of the dots, and label the ticks that have room."""
    inside = panel_width(axes)
    span = (high - low or 1) * inside / (inside - _VALUE - _DOT)
    left = low - _DOT / inside * span
    axes.set_xlim(left, left + span)
    ticks = {x: f"{x:g}".replace("-", "−") for x in MaxNLocator(4).tick_values(left, left + span)}
    half = {x: text_width(label, _SMALL) / 144 / inside * span for x, label in ticks.items()}
    shown = [x for x in ticks if left + half[x] <= x <= left + span - half[x]]
    axes.set_xticks(shown, [ticks[x] for x in shown])


def _draw_rows(axes: Axes, rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        axes.errorbar(
            row.difference, row.y, elinewidth=0.9,
            xerr=[[row.difference - row.ci_low], [row.ci_high - row.difference]],
            **_looks(row.contender, row.p_adjusted < LEVEL),
        )  # fmt: skip
        axes.annotate(
            f"{row.difference:+.3f}".replace("-", "−"), (max(row.ci_high, 0), row.y),
            xytext=(4, 0), textcoords="offset points",
            ha="left", va="center_baseline", fontsize=_SMALL,
        )  # fmt: skip


def _looks(reference: str, is_significant: bool) -> dict:
    color = COLORS[reference]
    return {
        "color": color, "marker": "o", "markersize": 3.5, "linestyle": "none", "zorder": 3,
        "markerfacecolor": color if is_significant else "white",
    }  # fmt: skip


def _legend_handles(rows: pd.DataFrame) -> list[Line2D]:
    drawn = set(rows["contender"])
    handles = [
        Line2D([], [], label=f"minus {label}", **_looks(name, True))
        for name, label in LABELS.items()
        if name in drawn
    ]
    if (rows["p_adjusted"] >= LEVEL).any():
        looks = {**_looks("empty", False), "color": INK}
        handles.append(Line2D([], [], label=f"hollow: p ≥ {LEVEL:g}, corrected", **looks))
    return handles
