"""Similarity while the most or the least relevant patches or words are removed first."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from clip_grounding.figures.curves import curve_handles, draw_curve
from clip_grounding.figures.style import (
    DIRECTION_LABELS,
    LEGEND_ROW,
    PAGE_WIDTH,
    add_axes,
    add_legend,
    add_notes,
    house_style,
)
from clip_grounding.vocabulary import PROMPTS

_ORDERS = {"morf": "most relevant first", "lerf": "least relevant first"}
_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_LEFT = 0.42
_GAP = 0.3
_PANEL = (PAGE_WIDTH - _LEFT - _GAP - 2 * _MARGIN) / 2
_HEIGHT = 1.7
_TITLE = 0.24
_TICKS = 0.36
_ABOVE = _MARGIN + LEGEND_ROW
_BELOW = 0.24


def draw_removal(curves: pd.DataFrame, model: str, attribution: str, confidence: float) -> Figure:
    """Draw the curves of a method's prompts and of random maps: a row per direction.

    Parameters
    ----------
    curves : DataFrame
        Rows of ``removal.csv``, see `clip_grounding.evidence.curves.average_removal`.
    model, attribution : str
        Whose curves are drawn.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a page: on the left MoRF curves, on the right LeRF curves.
    """
    own = curves[curves["model"] == model]
    own = own[own["attribution"].isin([attribution, "random"])]
    own = own.assign(contender=own["prompt"].where(own["prompt"] != "none", own["attribution"]))
    directions = [name for name in DIRECTION_LABELS if name in set(own["direction"])]
    block = _TITLE + _HEIGHT + _TICKS
    with house_style():
        figure = Figure(figsize=(PAGE_WIDTH, _ABOVE + block * max(1, len(directions)) + _BELOW))
        for row, direction in enumerate(directions):
            top = _ABOVE + row * block + _TITLE
            panels = [
                add_axes(figure, _LEFT + column * (_PANEL + _GAP), top, _PANEL, _HEIGHT)
                for column in range(len(_ORDERS))
            ]
            of_direction = own[own["direction"] == direction]
            for axes, (order, words) in zip(panels, _ORDERS.items(), strict=True):
                of_order = of_direction[of_direction["order"] == order]
                for contender in ("random", *reversed(PROMPTS)):
                    curve = of_order[of_order["contender"] == contender]
                    draw_curve(axes, curve["removed"], curve, contender)
                title = f"{DIRECTION_LABELS[direction]}: {words}"
                axes.set_title(title, loc="left", fontsize=_SIZE, pad=4)
                axes.set_xlabel("Share removed", fontsize=_SMALL, labelpad=2)
                axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
                axes.yaxis.set_major_locator(MaxNLocator(5))
                axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)
                axes.set_xlim(0, 0.9)
            low, high = of_direction["ci_low"].min(), of_direction["ci_high"].max()
            for axes in panels:
                axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
            panels[1].tick_params(labelleft=False)
            panels[0].set_ylabel("Mean similarity, cosine × 100", fontsize=_SMALL, labelpad=3)
        add_notes(
            figure,
            [
                f"{model}, {attribution}; bands: {100 * confidence:g} % intervals, images"
                " resampled; SRG is the mean distance from a left curve to its right one"
            ],
        )
        add_legend(figure, curve_handles(own["contender"]), columns=4)
    return figure
