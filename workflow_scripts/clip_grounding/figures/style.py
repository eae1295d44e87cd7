"""Set the style of every figure: a colour per contender, fonts, and reproducible files."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from clip_grounding.files import replacing
from clip_grounding.scoring.baselines import read_baselines

COLUMN_WIDTH = 3.4
"""Width of a figure in a column of a paper, in inches."""

PAGE_WIDTH = 7.2
"""Width of a figure across the page, in inches."""

PAGE_HEIGHT = 9.2
"""Largest height of a figure, to fit a page with its caption, in inches."""

LEGEND_ROW = 0.13
"""Height of a row of a legend, in inches."""

NOTE_LINE = 0.12
"""Line spacing of the notes at the bottom of a figure, in inches."""

FONT = "DejaVu Sans"  # ships with matplotlib: text looks and measures the same everywhere

BASELINES = read_baselines()
"""How the baselines are shown, by name, in the order in which they are drawn."""

COLORS = {
    **{name: baseline.color for name, baseline in BASELINES.items()},
    "unimodal": "#56B4E9",
    "mismatched": "#0072B2",
    "matched": "#D55E00",
}
"""Fill per contender (Okabe and Ito's colour-blind-safe palette; greys for blind baselines)."""

LABELS = {
    **{name: baseline.label for name, baseline in BASELINES.items()},
    "unimodal": "unimodal",
    "mismatched": "CLIP (mismatched prompt)",
    "matched": "CLIP (matched prompt)",
}
"""Name per contender, in the order in which contenders are drawn."""

DIRECTION_LABELS = {"text_to_image": "text to image", "image_to_text": "image to text"}
"""Name per direction, in the order in which directions are drawn."""

PALETTE = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#222222")
"""Colours of lines that are named in a legend: Okabe and Ito's, and black."""

PASSED, FAILED = "#CDE9DD", "#F3C9B8"
"""Fills of what is passed and what is not."""

INK = "#222222"
FAINT = "#767676"
"""The lightest grey with enough contrast for text on white (4.5 : 1)."""

PUBLISHED = "#000000"
"""Colour of markers at published values."""

BAND = "#F4F4F4"
"""Colour behind every other row of a long list."""

COUNTS = "#DDDDDD"
"""Colour of bars that count phrases, which are not a contender."""

PHRASE = "#882255"
"""Colour of the underline of the phrase in a caption: no contender's."""

OUTCOMES = {
    "grounded": "#44B892",
    "missed": "#F0C05A",
    "flattered": "#D998BB",
    "neither": "#DDDDDD",
}
"""Fill per outcome of a phrase: Okabe and Ito's hues, light enough for ink on top."""

OUTCOME_LABELS = {
    "grounded": "grounded: used and shown",
    "missed": "missed: used, not shown",
    "flattered": "flattered: shown, not used",
    "neither": "neither",
}
"""Name per outcome, in the order in which outcomes are drawn."""

WORD_SHADES = ("#FFFFFF", "#E69F00")
"""Shades of a word without relevance and of the caption's most relevant word."""

_STYLE = {
    "font.family": FONT,
    "font.size": 7,
    "text.color": INK,
    "text.hinting": "none",  # glyphs as wide in the PNG as in the PDF and as measured
    "text.parse_math": False,  # captions are data: a dollar sign is a dollar sign
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "pdf.fonttype": 42,  # embedded as TrueType: text stays text
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
# Without a date the same input gives the same bytes.
_METADATA = {"pdf": {"CreationDate": None}, "png": {}}
_LARGEST_PNG_SIDE = 60_000  # Agg draws fewer than 2**16 pixels


def house_style() -> AbstractContextManager:
    """Return the style in which figures are made and saved, whatever the user's settings."""
    return matplotlib.style.context(["default", _STYLE])


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of one line of text in points, at a font size in points."""
    font = FontProperties(family=FONT, size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]


def shorten(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Cut a line of text to a width in points, with an ellipsis where text is lost."""
    if text_width(text, size, weight) <= width:
        return text
    while text and text_width(text + "…", size, weight) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes to a figure, placed in inches from its top left corner."""
    across, down = figure.get_size_inches()
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def axes_size(axes: Axes) -> np.ndarray:
    """Return the width and height of axes in inches."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    return np.asarray(axes.get_position().size) * figure.get_size_inches()


def add_text(figure: Figure, left: float, top: float, text: str, **looks) -> None:
    """Write a line in a figure, its baseline placed in inches from the top left corner."""
    across, down = figure.get_size_inches()
    figure.text(left / across, 1 - top / down, text, va="baseline", **looks)


def add_notes(figure: Figure, notes: Iterable[str], margin: float = 0.08, size: float = 6) -> None:
    """Write the lines that are not empty at the bottom of a figure, cut to its width."""
    width, height = figure.get_size_inches()
    lines = [shorten(note, 72 * (width - 2 * margin), size) for note in notes if note]
    for number, line in enumerate(reversed(lines)):
        add_text(figure, margin, height - margin - number * NOTE_LINE, line, fontsize=size)


def add_legend(figure: Figure, handles: list, columns: int) -> None:
    """Put a legend in the top left corner of a figure, `LEGEND_ROW` inches a row."""
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        fontsize=6,
        frameon=False,
        borderpad=0.6,
        labelspacing=0.4,
        columnspacing=1.2,
        handlelength=1.6,
        handleheight=0.8,
    )


def add_rule(figure: Figure, left: float, right: float, top: float, **looks) -> None:
    """Draw a horizontal rule in a figure, placed in inches from the top left corner."""
    across, down = figure.get_size_inches()
    y = 1 - top / down
    looks = {"transform": figure.transFigure, "solid_capstyle": "butt", **looks}
    figure.add_artist(Line2D([left / across, right / across], [y, y], **looks))


def save_figure(figure: Figure, paths: Iterable[str | Path], dpi: int) -> None:
    """Write a figure to each path, in the format that its suffix names (pdf or png).

    Parameters
    ----------
    figure : Figure
    paths : iterable of str or Path
        Each appears only when it is whole. The same figure gives the same bytes.
    dpi : int
        Dots per inch of the PNG and of images within the PDF; fewer where a very tall
        figure would exceed what can be drawn.
    """
    dpi = min(dpi, int(_LARGEST_PNG_SIDE / max(figure.get_size_inches())))
    for path in map(Path, paths):
        kind = path.suffix[1:]
        with replacing(path) as temporary, house_style():
            figure.savefig(temporary, format=kind, dpi=dpi, metadata=_METADATA[kind])
