"""Animate a narrative: its phrases in turn, each over its relevance map."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from clip_grounding.errors import InputError
from clip_grounding.figures.captions import (
    LINE_HEIGHT,
    SIZE,
    caption_height,
    find_strokes,
    printable,
    wrap_words,
)
from clip_grounding.figures.overlays import overlay, show_picture
from clip_grounding.figures.style import (
    COLORS,
    FAINT,
    INK,
    LABELS,
    PHRASE,
    WORD_SHADES,
    add_axes,
    add_rule,
    add_text,
    axes_size,
    house_style,
    shorten,
)
from clip_grounding.files import replacing
from clip_grounding.geometry import WHOLE, View, upsample_to_image
from clip_grounding.regions import decode_region

AUTO = "auto"
"""Stands for the narrative that `choose_narrative` chooses."""

SECONDS = 1.2
"""How long a phrase is shown."""

_DPI = 120
_KEPT = (WORD_SHADES[0], INK, FAINT, PHRASE, WORD_SHADES[1], COLORS["matched"])
_SMALL = 6
_PLAIN = (0, 0)  # no word is bold: a bold phrase would move the words of the next frame
# In inches.
_WIDTH = 3.4
_TALLEST = 3.4
_MARGIN = 0.08
_HEAD = 0.22


@dataclass(frozen=True)
class Grounded:
    """A phrase: its characters in the caption, its region, and its relevance map."""

    span: tuple[int, int]
    region: np.ndarray
    relevance: np.ndarray


def choose_narrative(examples: pd.DataFrame, phrases: pd.DataFrame) -> int:
    """Choose the narrative with the most phrases among those of the page of examples.

    Parameters
    ----------
    examples : DataFrame
        The result of `examples.choose_examples`.
    phrases : DataFrame
        A row per phrase.

    Returns
    -------
    int
        Among ties, the one whose example scores best.

    Raises
    ------
    InputError
        There is no example.
    """
    if examples.empty:
        raise InputError(
            "no phrase of the first shard has a score: set figures: animation to the number of a"
            " narrative, or to null"
        )
    counts = examples["narrative"].map(phrases["narrative"].value_counts())
    return int(examples["narrative"].loc[counts.idxmax()])


def find_narrative(narrative: int, narratives: pd.DataFrame) -> pd.Series:
    """Return the row of a narrative.

    Raises
    ------
    InputError
        There is no narrative with this number.
    """
    rows = narratives[narratives["narrative"] == narrative]
    if rows.empty:
        raise InputError(
            f"narrative {narrative}: not in narratives.parquet, whose highest number is"
            f" {narratives['narrative'].max()}: set figures: animation to one that is, or to {AUTO}"
        )
    return rows.iloc[0]


def ground_phrases(
    narrative: int,
    phrases: pd.DataFrame,
    masks: pd.DataFrame,
    relevance: pd.DataFrame,
    view: View = WHOLE,
) -> list[Grounded]:
    """Collect what the animation shows of a narrative's phrases.

    Parameters
    ----------
    narrative : int
    phrases, masks : DataFrame
        Tables that hold at least this narrative's phrases.
    relevance : DataFrame
        Text-to-image maps, at least the matched ones of this narrative.
    view : View
        What the model sees of an image.

    Returns
    -------
    list of Grounded
        In the order of the caption.

    Raises
    ------
    InputError
        The narrative has no map: it names no region, or is not evaluated.
    """
    regions = masks.set_index(["image_id", "mask"])
    own = (relevance["narrative"] == narrative) & (relevance["prompt"] == "matched")
    rows = relevance[own].merge(phrases.drop(columns="image_id"), on=["narrative", "phrase"])
    if rows.empty:
        raise InputError(
            f"narrative {narrative}: no phrase of it was evaluated: it names no region, or its"
            f" image is beyond max_images: set figures: animation to another one, or to {AUTO}"
        )
    grounded = []
    for row in rows.sort_values("char_start").itertuples():
        region = regions.loc[(row.image_id, row.mask)]
        height, width = int(region["height"]), int(region["width"])
        grid = row.relevance.reshape(row.grid_height, row.grid_width)
        grounded.append(
            Grounded(
                span=(int(row.char_start), int(row.char_end)),
                region=decode_region(
                    height, width, region["counts"], f"image {row.image_id}, mask {row.mask}"
                ),
                relevance=upsample_to_image(grid, height, width, view),
            )
        )
    return grounded


def draw_frames(
    image: np.ndarray, text: str, phrases: list[Grounded], title: str
) -> list[np.ndarray]:
    """Draw the frames: the image alone, then each phrase over its relevance.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    text : str
        The caption.
    phrases : list of Grounded
    title : str
        Names the model; stands above every frame.

    Returns
    -------
    list of ndarray of uint8, shape (rows, columns, 3)
        One more than there are phrases, all of one shape.
    """
    frames = [_draw_frame(image, None, None, text, title)]
    frames += [
        _draw_frame(overlay(image, phrase.relevance), phrase.region, phrase.span, text, title)
        for phrase in phrases
    ]
    return frames


def save_animation(frames: list[np.ndarray], path: str | Path, seconds: float = SECONDS) -> None:
    """Write frames as an endlessly looping GIF, each with its own palette.

    Parameters
    ----------
    frames : list of ndarray of uint8, shape (rows, columns, 3)
    path : str or Path
        Appears only when it is whole. The same frames give the same bytes.
    seconds : float
        How long a frame is shown.
    """
    first, *others = map(_reduce_colors, frames)
    with replacing(path) as temporary:
        first.save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=round(1000 * seconds),
            loop=0,
        )


def _reduce_colors(frame: np.ndarray) -> Image.Image:
    """Reduce a frame to 256 colours, keeping rare ones that carry meaning."""
    kept = [[round(255 * level) for level in to_rgb(name)] for name in _KEPT]
    frequent = Image.fromarray(frame).quantize(256 - len(kept)).getpalette() or []
    palette = np.array([*kept, *np.reshape(frequent, (-1, 3))], dtype=np.int32)[:256]
    colors, places = np.unique(frame.reshape(-1, 3), axis=0, return_inverse=True)
    # The exact nearest: Pillow's search would turn white into a light grey.
    nearest = [np.square(palette - color).sum(axis=1).argmin() for color in colors.astype(np.int32)]
    reduced = np.array(nearest, dtype=np.uint8)[places].reshape(frame.shape[:2])
    image = Image.fromarray(reduced, mode="P")
    image.putpalette(palette.astype(np.uint8).tobytes())
    return image


def _draw_frame(
    picture: np.ndarray,
    region: np.ndarray | None,
    span: tuple[int, int] | None,
    text: str,
    title: str,
) -> np.ndarray:
    height, width = picture.shape[:2]
    inside = _WIDTH - 2 * _MARGIN
    scale = min(inside / width, _TALLEST / height)
    words = caption_height(text, _PLAIN, inside)
    top = _HEAD + scale * height + _MARGIN
    with house_style():
        figure = Figure(figsize=(_WIDTH, top + words + _MARGIN), dpi=_DPI)
        canvas = FigureCanvasAgg(figure)
        title = shorten(f"{LABELS['matched']}: {title}", 72 * inside, _SMALL)
        add_text(figure, _MARGIN, 0.12, title, fontsize=_SMALL)
        add_rule(figure, _MARGIN, _WIDTH - _MARGIN, 0.17, color=COLORS["matched"], linewidth=2)
        left = (_WIDTH - scale * width) / 2
        show_picture(add_axes(figure, left, _HEAD, scale * width, scale * height), picture, region)
        _write_caption(add_axes(figure, _MARGIN, top, inside, words), text, span)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _write_caption(axes: Axes, text: str, span: tuple[int, int] | None) -> None:
    """Write the caption: the phrase shaded and underlined, everything else in grey."""
    across, down = axes_size(axes) * 72
    axes.set_axis_off()
    axes.set(xlim=(0, across), ylim=(down, 0))
    words = wrap_words(text, _PLAIN, across)
    for left, right, line in find_strokes(words, span or _PLAIN):
        top = line * LINE_HEIGHT
        box = Rectangle((left, top), right - left, LINE_HEIGHT, color=WORD_SHADES[1], linewidth=0)
        axes.add_patch(box)
        y = top + LINE_HEIGHT - 0.6
        axes.plot([left, right], [y, y], color=PHRASE, linewidth=1.2, solid_capstyle="butt")
    for word in words:
        is_said = span is None or (word.start < span[1] and word.end > span[0])
        axes.text(
            word.x, (word.line + 0.5) * LINE_HEIGHT, printable(text[word.start : word.end]),
            fontsize=SIZE, color=INK if is_said else FAINT, ha="left", va="center_baseline",
        )  # fmt: skip
