"""Draw which gates the methods pass: a table, its cells coloured."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from clip_grounding.figures.style import (
    DIRECTION_LABELS,
    FAILED,
    FAINT,
    PAGE_WIDTH,
    PASSED,
    add_notes,
    add_rule,
    add_text,
    house_style,
    shorten,
)

_COLUMNS = {
    ("weights", "R"): "weights: R",
    ("weights", "D"): "weights: D",
    ("target", "mismatched"): "target: phrase",
    ("target", "random_target"): "target: random",
}
"""Heading of each statistic with a limit."""

_FILLS = {True: PASSED, False: FAILED}
_CERTIFICATES = {"passed": "certified", "failed": "not certified"}
_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_NAME = 1.9
_CERTIFICATE = 0.9
_ROW = 0.17
_HEAD = 0.5
_BELOW = 0.36


def draw_gates(gates: pd.DataFrame, certificates: pd.DataFrame) -> Figure:
    """Draw a row per method and a column per statistic, direction by direction.

    Parameters
    ----------
    gates, certificates : DataFrame
        Rows of ``gates.csv`` and ``certificates.csv``.

    Returns
    -------
    Figure
        As wide as a page.
    """
    tested = gates[gates["limit"].notna()]
    names = set(tested[["gate", "statistic"]].itertuples(index=False, name=None))
    columns = [own for own in _COLUMNS if own in names]
    directions = [name for name in DIRECTION_LABELS if name in set(certificates["direction"])]
    height = len(directions) * _HEAD + len(certificates) * _ROW + _BELOW + _MARGIN
    cells = tested.set_index(["direction", "model", "attribution", "gate", "statistic"])
    with house_style():
        figure = Figure(figsize=(PAGE_WIDTH, height))
        top = _MARGIN
        for direction in directions:
            _write_head(figure, top, direction, columns, tested)
            top += _HEAD
            own = certificates[certificates["direction"] == direction]
            for row in own.itertuples():
                _write_row(figure, top, row, columns, cells)
                top += _ROW
        add_notes(
            figure,
            [
                "Mean and, behind <, its upper bound, to lie below the limit (5 %, one-sided,"
                " images resampled as clusters, corrected for the number of methods)",
                "certified: passes every gate, and its faithfulness and SRG lie above those of"
                " random maps",
            ],
        )
    return figure


def _lefts(columns: list) -> tuple[list[float], float]:
    """Return where the columns begin, and their width, in inches."""
    width = (PAGE_WIDTH - 2 * _MARGIN - _NAME - _CERTIFICATE) / max(1, len(columns))
    return [_MARGIN + _NAME + number * width for number in range(len(columns))], width


def _write_head(figure: Figure, top: float, direction: str, columns: list, tested) -> None:
    label = DIRECTION_LABELS[direction]
    add_text(figure, _MARGIN, top + 0.2, label, fontsize=_SIZE, fontweight="bold")
    limits = tested.drop_duplicates(["gate", "statistic"]).set_index(["gate", "statistic"])["limit"]
    for left, column in zip(_lefts(columns)[0], columns, strict=True):
        add_text(figure, left + 0.06, top + 0.2, _COLUMNS[column], fontsize=_SIZE)
        limit = f"limit {limits[column]:g}"
        add_text(figure, left + 0.06, top + 0.33, limit, fontsize=_SMALL, color=FAINT)
    add_rule(figure, _MARGIN, PAGE_WIDTH - _MARGIN, top + _HEAD - 0.06, color=FAINT, linewidth=0.5)


def _write_row(figure: Figure, top: float, row, columns: list, cells: pd.DataFrame) -> None:
    base = top + 0.7 * _ROW
    name = shorten(f"{row.model}, {row.attribution}", 72 * (_NAME - 0.06), _SIZE)
    add_text(figure, _MARGIN, base, name, fontsize=_SIZE)
    lefts, width = _lefts(columns)
    for left, column in zip(lefts, columns, strict=True):
        key = (row.direction, row.model, row.attribution, *column)
        if key not in cells.index:
            add_text(figure, left + 0.06, base, "–", fontsize=_SIZE, color=FAINT)
            continue
        cell = cells.loc[key]
        _fill(figure, left, top, width, _FILLS[bool(cell["passed"])])
        text = f"{cell['mean']:z.2f} < {cell['bound']:z.2f}".replace("-", "−")
        add_text(figure, left + 0.06, base, text, fontsize=_SIZE)
    left = PAGE_WIDTH - _MARGIN - _CERTIFICATE
    if row.certificate in _CERTIFICATES:
        _fill(figure, left, top, _CERTIFICATE, _FILLS[row.certificate == "passed"])
    words = _CERTIFICATES.get(row.certificate, row.certificate)
    add_text(figure, left + 0.06, base, words, fontsize=_SIZE)


def _fill(figure: Figure, left: float, top: float, width: float, color: str) -> None:
    """Fill a cell, placed in inches from the top left corner of the figure."""
    across, down = figure.get_size_inches()
    gap = 0.01
    figure.add_artist(
        Rectangle(
            ((left + gap) / across, 1 - (top + _ROW - gap) / down),
            (width - 2 * gap) / across,
            (_ROW - 2 * gap) / down,
            color=color,
            linewidth=0,
            zorder=0,
        )
    )
