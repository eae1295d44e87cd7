"""Draw every contender's mean score with its interval as bars, for either protocol."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from clip_grounding.figures.curves import CHANCE_LOOKS, chance_handle
from clip_grounding.figures.groups import ROW, arrange_rows, lay_out_panels, panel_width
from clip_grounding.figures.selection import (
    chance_levels,
    keep_best,
    name_contenders,
    pooled_means,
)
from clip_grounding.figures.style import (
    COLORS,
    DIRECTION_LABELS,
    INK,
    LABELS,
    LEGEND_ROW,
    NOTE_LINE,
    PUBLISHED,
    add_legend,
    add_notes,
    house_style,
)

_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_BELOW = 0.6  # tick labels, counts and the note
_VALUE = 0.34  # room for a printed value

_METRICS = {
    "poster": ("poster_iou", "Poster score"),
    "strict": ("ap", "Strict average precision"),
}
"""The metric drawn for each protocol, and its name."""


def draw_scores(
    summary: pd.DataFrame,
    models: list[str],
    attributions: list[str],
    confidence: float,
    protocol: str,
) -> Figure:
    """Draw the means of a protocol as bars: a panel per direction, a group per model.

    Parameters
    ----------
    summary : DataFrame
        Rows of ``summary.csv``.
    models, attributions : list of str
        In the order in which they are drawn. Attributions are named where there are several.
    confidence : float
        Of the intervals.
    protocol : str
        ``poster``; or ``strict``: its average precision, with a line at the chance level.

    Returns
    -------
    Figure
        As wide as a column, wider where a model's name is very long. Of many models and
        attributions the best are drawn, and a note says so.
    """
    metric, metric_label = _METRICS[protocol]
    chance = chance_levels(summary) if protocol == "strict" else {}
    rows = pooled_means(summary, metric)
    rows, notice = keep_best(rows, rows["mean"].where(rows["prompt"] == "matched"))
    rows = rows.assign(contender=name_contenders(rows))
    bars = arrange_rows(rows, models, attributions)
    directions = [name for name in DIRECTION_LABELS if name in set(bars["direction"])]
    with house_style():
        legend = _legend_handles(bars)
        if len(chance):
            legend.append(chance_handle("chance level"))
        above = _MARGIN + LEGEND_ROW * -(-len(legend) // 2)
        below = _BELOW + (NOTE_LINE if notice else 0)
        figure, panels = lay_out_panels(bars, models, attributions, directions, above, below)
        largest = bars[["mean", "ci_high", "published"]].max().max()
        for axes, direction in zip(panels, directions, strict=True):
            own = bars[bars["direction"] == direction]
            _draw_bars(axes, own)
            _print_values(axes, own, 0 if np.isnan(largest) else largest)
            if direction in chance:
                axes.axvline(chance[direction], **CHANCE_LOOKS)
            axes.set_title(DIRECTION_LABELS[direction], loc="left", fontsize=_SIZE, pad=4)
            axes.set_xlabel(_count_label(own), fontsize=_SMALL, labelpad=2)
        note = f"{metric_label}: mean and {100 * confidence:g} % interval, images resampled"
        add_notes(figure, [note, notice])
        add_legend(figure, legend, columns=2)
    return figure


def _draw_bars(axes: Axes, bars: pd.DataFrame) -> None:
    colors = [COLORS[contender] for contender in bars["contender"]]
    axes.barh(bars["y"], bars["mean"], height=0.88 * ROW, color=colors)
    whiskers = [bars["mean"] - bars["ci_low"], bars["ci_high"] - bars["mean"]]
    axes.errorbar(
        bars["mean"], bars["y"], xerr=whiskers, fmt="none",
        ecolor=INK, elinewidth=0.7, capsize=1.5, capthick=0.7,
    )  # fmt: skip
    known = bars[bars["published"].notna()]
    # At the bar's upper edge: in the middle, it would hide the whisker where both agree.
    axes.plot(known["published"], known["y"] - 0.36 * ROW, **_published_looks())


def _published_looks() -> dict:
    return {
        "linestyle": "none", "marker": "v", "markersize": 4, "markeredgewidth": 0.4,
        "markerfacecolor": PUBLISHED, "markeredgecolor": "white", "zorder": 4, "clip_on": False,
    }  # fmt: skip


def _print_values(axes: Axes, bars: pd.DataFrame, largest: float) -> None:
    """Write each mean to the right of its bar, whisker and marker; the axis starts at 0."""
    width = panel_width(axes)
    axes.set_xlim(0, (largest or 1) * width / (width - _VALUE))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(axis="x", labelsize=_SMALL, length=2, pad=2)
    for bar in bars.itertuples():
        ends = [end for end in (bar.mean, bar.ci_high, bar.published) if not np.isnan(end)]
        axes.annotate(
            "no value" if np.isnan(bar.mean) else f"{bar.mean:.3f}",
            (max(ends, default=0), bar.y),
            xytext=(3, 0),
            textcoords="offset points",
            ha="left",
            va="center_baseline",
            fontsize=_SMALL,
            # The line at the chance level may run behind the number.
            bbox={"facecolor": "white", "linewidth": 0, "pad": 0.4},
        )


def _count_label(bars: pd.DataFrame) -> str:
    def spread(counts: pd.Series) -> str:
        return "–".join(f"{count:,}" for count in sorted({counts.min(), counts.max()}))

    return f"{spread(bars['n_phrases'])} phrases,\n{spread(bars['n_images'])} images"


def _legend_handles(bars: pd.DataFrame) -> list[Patch | Line2D]:
    drawn = set(bars["contender"])
    handles: list[Patch | Line2D] = [
        Patch(facecolor=COLORS[name], label=label)
        for name, label in LABELS.items()
        if name in drawn
    ]
    if bars["published"].notna().any():
        handles.append(Line2D([], [], label="published", **_published_looks()))
    return handles
