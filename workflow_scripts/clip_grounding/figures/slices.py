"""Draw strict average precision by slice of the phrases: does the lead hold for all of them?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clip_grounding.figures.selection import of_model
from clip_grounding.figures.style import (
    BAND,
    COLORS,
    DIRECTION_LABELS,
    INK,
    LABELS,
    LEGEND_ROW,
    add_axes,
    add_legend,
    add_text,
    house_style,
    shorten,
    text_width,
)
from clip_grounding.statistics.bootstrap import FEWEST_IMAGES

ROWS = {
    ("all", "all"): "all phrases",
    ("kind", "thing"): "things",
    ("kind", "stuff"): "stuff",
    ("number", "singular"): "singular",
    ("number", "plural"): "plural",
    ("region_area", "<1%"): "under 1 % of the image",
    ("region_area", "1-5%"): "1–5 % of the image",
    ("region_area", "5-20%"): "5–20 % of the image",
    ("region_area", ">20%"): "over 20 % of the image",
    ("repeated", "no"): "said once",
    ("repeated", "yes"): "said more than once",
    ("caption_words", "<=20"): "caption of up to 20 words",
    ("caption_words", "21-40"): "caption of 21–40 words",
    ("caption_words", "41-70"): "caption of 41–70 words",
    ("caption_words", ">70"): "caption of over 70 words",
}
"""Labels of the slices and levels of `slices.SLICES`, from top to bottom."""

MARKERS = {"matched": "o", "unimodal": "s", "random": "D"}
"""Contenders drawn, from the top of a row to its bottom."""

_SIZE = 7
_SMALL = 6
# In inches.
_ROW = 0.24
_STEP = 0.065  # between the contenders of a row
_SLICE_GAP = 0.08
_MARGIN = 0.08
_PANEL = 1.75
_COUNT = 0.56  # right of a panel: how many phrases
_TITLE = 0.21
_BELOW = 0.54  # tick labels, the axis label and the note


def draw_slices(summary: pd.DataFrame, model: str, attribution: str, confidence: float) -> Figure:
    """Draw the mean strict AP on every slice, a panel per direction.

    Parameters
    ----------
    summary : DataFrame
        Rows of ``summary.csv``.
    model, attribution : str
        Whose scores are drawn beside the random ones; named below the figure.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
    """
    rows = of_model(summary[summary["average"] == "phrase"], model, attribution)
    rows = rows[rows["contender"].isin(MARKERS)]
    places = _place_rows(rows)
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    left = 2 * _MARGIN + max(text_width(ROWS[key], _SMALL) for key in places) / 72
    inside = max(places.values()) + _ROW / 2
    with house_style():
        handles = _legend_handles(rows["contender"])
        columns = 4 if len(directions) > 1 else 2
        above = _MARGIN + LEGEND_ROW * -(-len(handles) // columns) + _TITLE
        size = (left + len(directions) * (_PANEL + _COUNT), above + inside + _BELOW)
        figure = Figure(figsize=size)
        for number, direction in enumerate(directions):
            x = left + number * (_PANEL + _COUNT)
            axes = add_axes(figure, x, above, _PANEL, inside)
            own = rows[rows["direction"] == direction]
            _draw_panel(axes, own, places)
            own = own[own["n_images"] >= FEWEST_IMAGES]
            top = own.loc[own["metric"].isin(["ap", "chance"]), ["mean", "ci_high"]].max().max()
            axes.set(xlim=(0, 1.03 * top if top > 0 else 1), ylim=(inside, 0))
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.tick_params(axis="x", labelsize=_SMALL, length=2, pad=2, width=0.6)
            axes.set_title(DIRECTION_LABELS[direction], loc="left", fontsize=_SIZE, pad=4)
            axes.set_xlabel("Mean strict AP", fontsize=_SMALL, labelpad=2)
            axes.set_yticks([])
            add_text(figure, x + _PANEL + 0.06, above - 0.07, "phrases", fontsize=_SMALL)
        figure.axes[0].set_yticks(
            list(places.values()), [ROWS[key] for key in places], fontsize=_SMALL
        )
        figure.axes[0].tick_params(axis="y", length=0)
        note = f"{model}, {attribution}; {100 * confidence:g} % interval, images resampled"
        note = shorten(note, 72 * (size[0] - 2 * _MARGIN), _SMALL)
        add_text(figure, _MARGIN, size[1] - _MARGIN, note, fontsize=_SMALL)
        add_legend(figure, handles, columns)
    return figure


def _place_rows(rows: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return inches from the top to the middle of each row with a phrase, slices set apart."""
    present = set(zip(rows["slice"], rows["level"], strict=True))
    places, y, last = {}, -_ROW / 2, None
    for key in (key for key in ROWS if key in present):
        y += _ROW + (_SLICE_GAP if last not in (None, key[0]) else 0)
        places[key], last = y, key[0]
    return places


def _draw_panel(axes: Axes, rows: pd.DataFrame, places: dict) -> None:
    for number, (key, y) in enumerate(places.items()):
        if number % 2 == 0:  # bands lead the eye to the label and the count
            axes.axhspan(y - _ROW / 2, y + _ROW / 2, color=BAND, linewidth=0, zorder=0)
        own = rows[(rows["slice"] == key[0]) & (rows["level"] == key[1])]
        means = own[own["metric"] == "ap"].set_index("contender")
        count = f"{means['n_phrases'].max():,}" if len(means) else "none"
        own = own[own["n_images"] >= FEWEST_IMAGES]
        means = means[means["n_images"] >= FEWEST_IMAGES]
        for step, contender in enumerate(MARKERS):
            if contender in means.index:
                mean = means.loc[contender]
                whiskers = [[mean["mean"] - mean["ci_low"]], [mean["ci_high"] - mean["mean"]]]
                axes.errorbar(
                    mean["mean"], y + (step - 1) * _STEP, xerr=whiskers, elinewidth=0.9,
                    **_looks(contender),
                )  # fmt: skip
        chance = own.loc[own["metric"] == "chance", "mean"]
        if len(chance):
            x = chance.iloc[0]
            axes.plot([x, x], [y - 0.4 * _ROW, y + 0.4 * _ROW], **_chance_looks())
        axes.annotate(
            count,
            (1, y), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            ha="left", va="center_baseline", fontsize=_SMALL,
        )  # fmt: skip


def _looks(contender: str) -> dict:
    return {
        "color": COLORS[contender], "marker": MARKERS[contender], "markersize": 3,
        "linestyle": "none", "zorder": 3,
    }  # fmt: skip


def _chance_looks() -> dict:
    return {"color": INK, "linewidth": 0.8, "zorder": 2}


def _legend_handles(contenders: pd.Series) -> list[Line2D]:
    drawn = set(contenders)
    handles = [
        Line2D([], [], label=LABELS[name], **_looks(name)) for name in MARKERS if name in drawn
    ]
    return [*handles, Line2D([], [], label="chance level", **_chance_looks())]
