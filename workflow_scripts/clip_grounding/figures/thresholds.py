"""Draw foreground IoU against the threshold: would one other than Otsu's change the order?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clip_grounding.figures.curves import curve_handles, draw_curve
from clip_grounding.figures.selection import keep_best, name_contenders, pooled_means
from clip_grounding.figures.style import (
    COLORS,
    COLUMN_WIDTH,
    DIRECTION_LABELS,
    FAINT,
    INK,
    LABELS,
    LEGEND_ROW,
    NOTE_LINE,
    PAGE_HEIGHT,
    add_axes,
    add_legend,
    add_notes,
    add_text,
    house_style,
    shorten,
)

_METHOD = ["model", "attribution"]
_SIZE = 7
_SMALL = 6
# In inches.
_LEFT = 0.42
_MARGIN = 0.08
_GUTTER = 0.16  # right of a panel: Otsu's markers
_TITLE = 0.21
_NAME = 0.19  # a model's name above its panels
_PANEL = 1.1
_LOWEST_PANEL = 0.5
_AIR = 0.08  # under a panel
_BELOW = 0.42  # tick labels, the axis label and the note


def draw_thresholds(curves: pd.DataFrame, summary: pd.DataFrame, confidence: float) -> Figure:
    """Draw threshold curves: a panel per model, attribution and direction.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``curves.csv``, see `clip_grounding.statistics.curves.average_curves`; the panels
        follow its order.
    summary : DataFrame
        Rows of ``summary.csv``: the mean IoU at Otsu's thresholds is marked beside each panel.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a column, or with several models as a page; panels are made lower where it
        would be higher than a page. Of many models and attributions the best by their mean at
        Otsu's thresholds are drawn, and a note says so.
    """
    otsu = pooled_means(summary, "iou")
    otsu, notice = keep_best(otsu, otsu["mean"].where(otsu["prompt"] == "matched"))
    otsu = otsu.assign(contender=name_contenders(otsu))
    curves = curves.merge(otsu[_METHOD].drop_duplicates())
    directions = [name for name in DIRECTION_LABELS if name in set(curves["direction"])]
    models = list(curves[_METHOD].drop_duplicates().itertuples(index=False, name=None))
    n_across = min(2, len(models))
    top = 1.05 * max(curves["ci_high"].max(), otsu["mean"].max(), 0.01)
    handles = [*curve_handles(curves["prompt"]), _otsu_handle()]
    width = (COLUMN_WIDTH - _LEFT) / len(directions) - _GUTTER
    with house_style():
        above = _MARGIN + LEGEND_ROW * -(-len(handles) // 2) + _TITLE
        n_rows = -(-len(models) // n_across)
        below = _BELOW + (NOTE_LINE if notice else 0)
        block = min(_NAME + _PANEL + _AIR, (PAGE_HEIGHT - above - below) / n_rows)
        block = max(block, _NAME + _LOWEST_PANEL + _AIR)
        height = above + block * n_rows + below
        figure = Figure(figsize=(n_across * COLUMN_WIDTH, height))
        for i, pair in enumerate(models):
            x = i % n_across * COLUMN_WIDTH + _LEFT
            y = above + i // n_across * block
            name = shorten(", ".join(pair), 72 * (COLUMN_WIDTH - _LEFT - _MARGIN), _SMALL, "bold")
            add_text(figure, x, y + 0.06, name, fontsize=_SMALL, fontweight="bold")
            for j, direction in enumerate(directions):
                left = x + j * (width + _GUTTER)
                axes = add_axes(figure, left, y + _NAME, width, block - _NAME - _AIR)
                if _rows(curves, pair, direction).empty:
                    axes.annotate(
                        "not in this direction",
                        (50, top / 2),
                        fontsize=_SMALL,
                        color=FAINT,
                        ha="center",
                        va="center",
                    )
                _draw_panel(axes, _rows(curves, pair, direction), _rows(otsu, pair, direction))
                axes.set_ylim(0, top)
                axes.yaxis.set_major_locator(MaxNLocator(4))
                if j == 0:
                    axes.set_ylabel("Mean IoU", fontsize=_SMALL, labelpad=3)
                else:
                    axes.set_yticklabels([])
                if i < n_across:
                    add_text(figure, left, above - 0.1, DIRECTION_LABELS[direction], fontsize=_SIZE)
                if i + n_across < len(models):
                    axes.set_xticklabels([])
                else:
                    axes.set_xlabel("Threshold, % of the range", fontsize=_SMALL, labelpad=2)
        note = f"IoU of the foreground; bands: {100 * confidence:g} % interval, images resampled"
        add_notes(figure, [note, notice])
        add_legend(figure, handles, columns=2)
    return figure


def _rows(table: pd.DataFrame, pair: tuple[str, str], direction: str) -> pd.DataFrame:
    own = (table["model"] == pair[0]) & (table["attribution"] == pair[1])
    return table[own & (table["direction"] == direction)]


def _draw_panel(axes: Axes, curves: pd.DataFrame, otsu: pd.DataFrame) -> None:
    for prompt in (name for name in LABELS if name in set(curves["prompt"])):
        curve = curves[curves["prompt"] == prompt].sort_values("level")
        draw_curve(axes, 100 * curve["level"], curve, prompt)
    for row in otsu.itertuples():
        axes.plot([103], [row.mean], color=COLORS[row.contender], **_otsu_looks())
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)


def _otsu_looks() -> dict:
    return {
        "linestyle": "none", "marker": "<", "markersize": 4, "markeredgewidth": 0.4,
        "markeredgecolor": "white", "clip_on": False,
    }  # fmt: skip


def _otsu_handle() -> Line2D:
    return Line2D([], [], color=INK, label="mean at Otsu's thresholds", **_otsu_looks())
