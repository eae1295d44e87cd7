"""Draw a caption as wrapped text: tokens shaded by relevance, the phrase underlined.

The text is laid out from measured widths, so that nothing overlaps or is cut, however
long the caption and its words are.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from clip_grounding.figures.style import FAINT, INK, PHRASE, WORD_SHADES, axes_size, text_width

SIZE = 6.5
LINE_HEIGHT = 10.0
"""Points."""

SHADES = LinearSegmentedColormap.from_list("relevance of words", WORD_SHADES)
"""From zero relevance to the caption's largest; black text stays readable on every shade."""

_PAD = 0.8  # points between a shade and the lines above and below
_LONGEST_PART = 100  # characters: measuring every prefix of a very long word would take too long


@dataclass(frozen=True)
class Word:
    """A word of a caption, or the part of a long word that fits a line.

    Attributes
    ----------
    start, end : int
        Characters of the caption.
    x : float
        Left edge, in points.
    line : int
        From 0.
    edges : ndarray, shape (end - start + 1,)
        Left edge of each character and the right edge of the last, in points.
    """

    start: int
    end: int
    x: float
    line: int
    edges: np.ndarray


def wrap_words(text: str, bold: tuple[int, int], width: float) -> list[Word]:
    """Break a caption into words on lines of a width.

    Parameters
    ----------
    text : str
    bold : (int, int)
        Characters of the phrase: its words are set in bold.
    width : float
        Of a line, in points.

    Returns
    -------
    list of Word
        Every character except white space is in exactly one of them.
    """
    words, x, line = [], 0.0, 0
    for match in re.finditer(r"\S+", text):
        start = match.start()
        while start < match.end():
            part = text[start : min(match.end(), start + _LONGEST_PART)]
            edges = _edges(part, _weight(start, bold))
            if x > 0 and x + edges[-1] > width:
                x, line = 0.0, line + 1
            # A word that is wider than a line is broken where the line ends.
            fit = max(1, int(np.searchsorted(edges, width, side="right")) - 1)
            edges = edges[: fit + 1]
            words.append(Word(start, start + len(edges) - 1, x, line, x + edges))
            start += len(edges) - 1
            is_broken = start < match.end()
            x = np.inf if is_broken else x + edges[-1] + text_width(" ", SIZE)
    return words


def caption_height(text: str, phrase: tuple[int, int], width: float) -> float:
    """Return the height in inches of a caption that is `width` inches wide."""
    words = wrap_words(text, phrase, 72 * width)
    return (words[-1].line + 1 if words else 1) * LINE_HEIGHT / 72


def draw_caption(
    axes: Axes,
    text: str,
    phrase: tuple[int, int],
    tokens: np.ndarray,
    relevance: np.ndarray,
) -> None:
    """Fill axes with a caption.

    Parameters
    ----------
    axes : Axes
        As wide and high (see `caption_height`) as the text will be.
    text : str
        Any text: nothing in it is interpreted.
    phrase : (int, int)
        Characters of the phrase.
    tokens : ndarray of int, shape (n_tokens, 2)
        Characters of each token; text beyond the last, which the model did not see, is grey.
    relevance : ndarray of float, shape (n_tokens,)
        At least 0; the largest has the strongest shade.
    """
    across, down = axes_size(axes) * 72
    axes.set_axis_off()
    axes.set_xlim(0, across)
    axes.set_ylim(down, 0)
    seen = tokens[:, 1].max(initial=0)
    largest = relevance.max(initial=0)
    words = wrap_words(text, phrase, across)
    for word in words:
        middle = (word.line + 0.5) * LINE_HEIGHT
        for token in np.argsort(relevance, kind="stable"):  # where tokens overlap, the largest
            start, end = max(tokens[token, 0], word.start), min(tokens[token, 1], word.end)
            if start < end and largest > 0:
                shade = SHADES(relevance[token] / largest)
                left, right = word.edges[start - word.start], word.edges[end - word.start]
                box = (left, middle - LINE_HEIGHT / 2 + _PAD)
                size = (right - left, LINE_HEIGHT - 2 * _PAD)
                axes.add_patch(Rectangle(box, *size, color=shade, linewidth=0))
        axes.text(
            word.x,
            middle,
            printable(text[word.start : word.end]),
            fontsize=SIZE,
            fontweight=_weight(word.start, phrase),
            color=INK if word.start < seen else FAINT,
            ha="left",
            va="center_baseline",
        )
    for left, right, line in find_strokes(words, phrase):
        y = (line + 1) * LINE_HEIGHT - _PAD - 0.4
        axes.plot([left, right], [y, y], color=PHRASE, linewidth=1.2, solid_capstyle="butt")


def printable(text: str) -> str:
    """Replace characters that have no glyph and could disturb the line."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)


def _weight(position: int, bold: tuple[int, int]) -> str:
    return "bold" if bold[0] <= position < bold[1] else "normal"


@lru_cache(maxsize=4096)
def _edges(word: str, weight: str) -> np.ndarray:
    """Return the left edge of each character of a word, and the right edge of the last."""
    word = printable(word)
    widths = [text_width(word[:stop], SIZE, weight) for stop in range(1, len(word) + 1)]
    return np.maximum.accumulate([0.0, *widths])


def find_strokes(words: list[Word], phrase: tuple[int, int]) -> list[tuple[float, float, int]]:
    """Return a stroke (left, right, line) for each line of the phrase, spaces included."""
    strokes: dict[int, tuple[float, float]] = {}
    for word in words:
        start, end = max(word.start, phrase[0]), min(word.end, phrase[1])
        if start < end:
            left, right = word.edges[start - word.start], word.edges[end - word.start]
            first, _ = strokes.get(word.line, (left, right))
            strokes[word.line] = (first, right)
    return [(left, right, line) for line, (left, right) in strokes.items()]
