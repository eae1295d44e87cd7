"""Draw how far maps stay the same while one tower after the other is randomised."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clip_grounding.figures.style import (
    DIRECTION_LABELS,
    FAINT,
    LEGEND_ROW,
    PAGE_WIDTH,
    PALETTE,
    add_axes,
    add_legend,
    add_notes,
    house_style,
)

_TOWERS = ("image tower", "text tower")
_LINES = ("-", "--", ":", "-.")
_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_LEFT = 0.46
_GAP = 0.22
_PANEL = (PAGE_WIDTH - _LEFT - _GAP - 2 * _MARGIN) / 2
_HEIGHT = 1.6
_TITLE = 0.24
_TICKS = 0.5
_BELOW = 0.24
_LEGEND_COLUMNS = 5


def draw_cascade(gates: pd.DataFrame, model: str, confidence: float) -> Figure:
    """Draw a model's curves: a row per direction, a column per tower, a line per method.

    Parameters
    ----------
    gates : DataFrame
        Rows of ``gates.csv``.
    model : str
        Whose curves are drawn.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a page.
    """
    curves = gates[(gates["gate"] == "curve") & (gates["model"] == model)]
    attributions = list(dict.fromkeys(curves["attribution"]))
    looks: dict[str, dict] = {
        name: {
            "color": PALETTE[number % len(PALETTE)],
            "linestyle": _LINES[number // len(PALETTE) % len(_LINES)],
        }
        for number, name in enumerate(attributions)
    }
    directions = [name for name in DIRECTION_LABELS if name in set(curves["direction"])]
    above = _MARGIN + LEGEND_ROW * -(-max(1, len(attributions)) // _LEGEND_COLUMNS)
    block = _TITLE + _HEIGHT + _TICKS
    with house_style():
        figure = Figure(figsize=(PAGE_WIDTH, above + block * max(1, len(directions)) + _BELOW))
        for row, direction in enumerate(directions):
            for column, tower in enumerate(_TOWERS):
                left, top = _LEFT + column * (_PANEL + _GAP), above + row * block + _TITLE
                axes = add_axes(figure, left, top, _PANEL, _HEIGHT)
                own = curves[(curves["direction"] == direction) & (curves["statistic"] == tower)]
                _draw_panel(axes, own, looks)
                title = f"{DIRECTION_LABELS[direction]}: {tower} randomised"
                axes.set_title(title, loc="left", fontsize=_SIZE, pad=4)
                if column == 0:
                    axes.set_ylabel("Spearman's ρ with the map", fontsize=_SMALL, labelpad=2)
                else:
                    axes.tick_params(labelleft=False)
        note = f"{model}; bars: {100 * confidence:g} % intervals, images resampled"
        add_notes(figure, [note])
        handles = [Line2D([], [], label=name, **own) for name, own in looks.items()]
        add_legend(figure, handles, columns=_LEGEND_COLUMNS)
    return figure


def _draw_panel(axes: Axes, curves: pd.DataFrame, looks: dict[str, dict]) -> None:
    layers = curves.drop_duplicates("depth").sort_values("depth")
    shift = 0.3 / max(1, len(looks))
    for number, (name, own_looks) in enumerate(looks.items()):
        own = curves[curves["attribution"] == name].sort_values("depth")
        places = own["depth"] + shift * (number - (len(looks) - 1) / 2)
        axes.errorbar(
            [0, *places], [1, *own["mean"]],
            yerr=[[0, *(own["mean"] - own["ci_low"])], [0, *(own["ci_high"] - own["mean"])]],
            linewidth=1, elinewidth=0.5, **own_looks,
        )  # fmt: skip
    axes.axhline(0, color=FAINT, linewidth=0.6, zorder=1)
    axes.set_ylim(-0.6, 1.05)
    labels = ["none", *layers["layer"]]
    step = -(-len(labels) // 8)  # towers of many layers have not all of them named
    axes.set_xticks(range(0, len(labels), step), labels[::step], rotation=25)
    axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)
