"""Draw necessity and sufficiency of regions: does the model use the region of a phrase?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clip_grounding.figures.style import (
    COLORS,
    DIRECTION_LABELS,
    FAINT,
    INK,
    LEGEND_ROW,
    PAGE_WIDTH,
    add_axes,
    add_legend,
    add_notes,
    add_text,
    house_style,
    shorten,
)
from clip_grounding.vocabulary import PROMPTS

MEASURES = {"necessity": "o", "sufficiency": "s"}
"""Marker per measure."""

_CHANCE = 0.5
_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_LEFT = 1.35
_GAP = 0.2
_PANEL = (PAGE_WIDTH - _LEFT - _GAP - _MARGIN) / 2
_ROW = 0.105
_BETWEEN = 0.1  # from model to model
_ABOVE = _MARGIN + 2 * LEGEND_ROW + 0.3
_BELOW = 0.5


def draw_effects(evidence: pd.DataFrame, confidence: float) -> Figure:
    """Draw necessity and sufficiency of each model by prompt, a panel per direction.

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
    rows = evidence[(evidence["slice"] == "all") & evidence["metric"].isin(MEASURES)]
    models = list(dict.fromkeys(rows["model"]))
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    block = len(PROMPTS) * len(MEASURES) * _ROW
    height = max(1, len(models)) * (block + _BETWEEN)
    with house_style():
        figure = Figure(figsize=(PAGE_WIDTH, _ABOVE + height + _BELOW))
        for number, direction in enumerate(directions):
            left = _LEFT + number * (_PANEL + _GAP)
            axes = add_axes(figure, left, _ABOVE, _PANEL, height)
            axes.set(xlim=(0, 1), ylim=(height, 0), yticks=[])
            axes.axvline(_CHANCE, color=FAINT, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
            own = rows[rows["direction"] == direction]
            for row, model in enumerate(models):
                top = row * (block + _BETWEEN) + _BETWEEN / 2
                _draw_model(axes, own[own["model"] == model], top)
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="x", labelsize=_SMALL, length=2, pad=2)
            axes.set_title(DIRECTION_LABELS[direction], loc="left", fontsize=_SIZE, pad=4)
            axes.set_xlabel("Share of other places that matter less", fontsize=_SMALL, labelpad=2)
        for row, model in enumerate(models):
            y = _ABOVE + row * (block + _BETWEEN) + (block + _BETWEEN) / 2
            name = shorten(model, 72 * (_LEFT - 2 * _MARGIN), _SIZE)
            add_text(figure, _MARGIN, y, name, fontsize=_SIZE)
        note = f"{100 * confidence:g} % intervals, images resampled; dashed: chance, 0.5"
        add_notes(figure, [note])
        add_legend(figure, _legend_handles(), columns=3)
    return figure


def _draw_model(axes: Axes, rows: pd.DataFrame, top: float) -> None:
    line = 0
    for prompt in PROMPTS:
        for metric, marker in MEASURES.items():
            own = rows[(rows["prompt"] == prompt) & (rows["metric"] == metric)]
            axes.errorbar(
                own["mean"], [top + (line + 0.5) * _ROW] * len(own),
                xerr=[own["mean"] - own["ci_low"], own["ci_high"] - own["mean"]],
                color=COLORS[prompt], marker=marker, markersize=3.5, linestyle="none",
                elinewidth=0.9, zorder=3, clip_on=False,
            )  # fmt: skip
            line += 1


def _legend_handles() -> list[Line2D]:
    """Return the prompts' colours, then the measures' markers; columns are filled downwards."""
    prompts = [
        Line2D([], [], color=COLORS[prompt], marker="o", markersize=3.5, linestyle="none",
               label=f"{prompt} prompt")
        for prompt in PROMPTS
    ]  # fmt: skip
    measures = [
        Line2D([], [], color=INK, marker=marker, markersize=3.5, linestyle="none", label=metric)
        for metric, marker in MEASURES.items()
    ]
    return [*prompts, *measures]
