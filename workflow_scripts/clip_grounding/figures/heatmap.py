"""Draw models and attributions as a heat map: which pair is best, and by how much?"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from clip_grounding.figures.style import (
    COLORS,
    DIRECTION_LABELS,
    FAINT,
    INK,
    LEGEND_ROW,
    NOTE_LINE,
    PAGE_WIDTH,
    add_axes,
    add_legend,
    add_text,
    house_style,
    shorten,
    text_width,
)

_METRIC = "ap"
_SHADES = LinearSegmentedColormap.from_list("shades", ["white", COLORS["matched"]])
_PALEST, _DARKEST = 0.04, 0.7  # of the shades: print stays readable on the darkest
_MARKS = {"passed": " ✓", "failed": " ×"}
_TIED = "the best of its direction, and those tied with it"
_MISSING = "no scored maps in this direction"
_SIZE = 7
_SMALL = 6
_PRINT = 4.5
# In inches.
_MARGIN = 0.08
_ROW = 0.27
_COLUMN = 0.46
_WIDEST_COLUMN = 1.3
_LONGEST_NAME = 1.9
_TALLEST_NAME = 1.15
_TITLE = 0.22
_GAP = 0.16  # between the panels
_BELOW = 0.3  # the note


def draw_heatmap(rankings: pd.DataFrame, confidence: float) -> Figure:
    """Draw mean strict AP: a panel per direction, a row per attribution, a column per model.

    Rows and columns are sorted by their means, best first; the means leave out missing pairs.

    Parameters
    ----------
    rankings : DataFrame
        Rows of ``rankings.csv``.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As large as its cells need: ten models and ten attributions fill a page.
    """
    rows = rankings[rankings["metric"] == _METRIC]
    tables = [
        (direction, own)
        for direction in DIRECTION_LABELS
        if len(own := rows[rows["direction"] == direction])
    ]
    marked = rows[rows["certificate"].isin(_MARKS)] if "certificate" in rows else rows.iloc[:0]
    names = {
        axis: max((text_width(name, _SMALL) / 72 for name in rows[axis].unique()), default=0)
        for axis in ("attribution", "model")
    }
    left = 2 * _MARGIN + min(names["attribution"], _LONGEST_NAME)
    n_columns = max((own["model"].nunique() for _, own in tables), default=1)
    widest = min(_WIDEST_COLUMN, (PAGE_WIDTH - left - _MARGIN) / n_columns)
    is_level = names["model"] + 0.06 <= widest
    column = max(_COLUMN, names["model"] + 0.1) if is_level else _COLUMN
    heads = 0.16 if is_level else 0.08 + min(names["model"], _TALLEST_NAME)
    note = (
        f"Mean strict AP, {100 * confidence:g} % interval below it; colours from lowest to highest"
    )
    if not marked.empty:
        note += "\n✓ certified, × not (certificates.csv)"
    handles = _legend_handles(tables)
    needed = [
        *(text_width(line, _SMALL) / 72 for line in note.splitlines()),
        *(text_width(str(h.get_label()), _SMALL) / 72 + 0.5 for h in handles),
    ]
    width = max(left + n_columns * column, max(needed) + _MARGIN) + _MARGIN
    above = _MARGIN + LEGEND_ROW * len(handles)
    insides = [_ROW * own["attribution"].nunique() for _, own in tables]
    below = _BELOW + NOTE_LINE * (not marked.empty)
    height = above + sum(_TITLE + heads + inside + _GAP for inside in insides) + below - _GAP
    with house_style():
        figure = Figure(figsize=(width, height))
        top = above
        for (direction, own), inside in zip(tables, insides, strict=True):
            title = DIRECTION_LABELS[direction]
            add_text(figure, _MARGIN, top + 0.16, title, fontsize=_SIZE, fontweight="bold")
            top += _TITLE + heads
            across = column * own["model"].nunique()
            axes = add_axes(figure, left, top, across, inside)
            _draw_cells(axes, own)
            _name_axes(axes, own, left, 0 if is_level else 90)
            top += inside + _GAP
        for number, line in enumerate(reversed(note.splitlines())):
            add_text(figure, _MARGIN, height - _MARGIN - NOTE_LINE * number, line, fontsize=_SMALL)
        add_legend(figure, handles, columns=1)
    return figure


def sort_names(rows: pd.DataFrame, axis: str) -> list[str]:
    """Return the models or attributions of a direction, the highest mean of means first."""
    means = rows.groupby(axis)["mean"].mean()
    return list(means.sort_index().sort_values(ascending=False, kind="stable").index)


def _draw_cells(axes: Axes, rows: pd.DataFrame) -> None:
    attributions, models = (sort_names(rows, axis) for axis in ("attribution", "model"))
    low, high = rows["mean"].min(), rows["mean"].max()
    cells = rows.set_index(["attribution", "model"])
    axes.set(xlim=(0, len(models)), ylim=(len(attributions), 0))
    for y, attribution in enumerate(attributions):
        for x, model in enumerate(models):
            if (attribution, model) not in cells.index:
                axes.add_patch(Rectangle((x + 0.03, y + 0.05), 0.94, 0.9, **_missing_looks()))
                continue
            cell = cells.loc[(attribution, model)]
            share = (cell["mean"] - low) / (high - low) if high > low else 0.5
            shade = _SHADES(_PALEST + share * (_DARKEST - _PALEST))
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=shade, edgecolor="white", linewidth=1))
            is_tied = cell["tie_group"] == 1
            if is_tied:
                axes.add_patch(Rectangle((x + 0.03, y + 0.05), 0.94, 0.9, **_tied_looks()))
            interval = f"{cell['ci_low']:.3f}–{cell['ci_high']:.3f}"
            looks: dict[str, Any] = {"ha": "center", "va": "center_baseline"}
            mark = _MARKS.get(cell.get("certificate"), "")
            axes.text(
                x + 0.5, y + 0.36, f"{cell['mean']:.3f}{mark}", fontsize=_SMALL,
                fontweight="bold" if is_tied else "normal", **looks,
            )  # fmt: skip
            axes.text(x + 0.5, y + 0.74, interval, fontsize=_PRINT, **looks)


def _name_axes(axes: Axes, rows: pd.DataFrame, left: float, rotation: int) -> None:
    attributions, models = (sort_names(rows, axis) for axis in ("attribution", "model"))
    room = 72 * (left - 2 * _MARGIN)
    names = [shorten(name, room + 0.5, _SMALL) for name in attributions]
    axes.set_yticks([y + 0.5 for y in range(len(names))], names, fontsize=_SMALL)
    room = 72 * (_TALLEST_NAME if rotation else _WIDEST_COLUMN)
    names = [shorten(name, room, _SMALL) for name in models]
    axes.xaxis.tick_top()
    axes.set_xticks([x + 0.5 for x in range(len(names))], names, fontsize=_SMALL, rotation=rotation)
    axes.tick_params(length=0, pad=3)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _tied_looks() -> dict:
    return {"facecolor": "none", "edgecolor": INK, "linewidth": 0.9}


def _missing_looks() -> dict:
    return {"facecolor": "white", "edgecolor": FAINT, "hatch": "////", "linewidth": 0}


def _legend_handles(tables: list[tuple[str, pd.DataFrame]]) -> list[Patch]:
    handles = [Patch(label=_TIED, **_tied_looks())]
    if any(own["model"].nunique() * own["attribution"].nunique() > len(own) for _, own in tables):
        handles.append(Patch(label=_MISSING, **_missing_looks()))
    return handles
