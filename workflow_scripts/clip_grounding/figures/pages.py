"""Draw the page of examples: one row per phrase, as high as its pictures and caption."""

from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from clip_grounding.figures.captions import SHADES, caption_height, draw_caption, printable
from clip_grounding.figures.examples import Example
from clip_grounding.figures.overlays import HEAT, overlay, show_picture
from clip_grounding.figures.style import (
    COLORS,
    DIRECTION_LABELS,
    FAINT,
    LABELS,
    PAGE_WIDTH,
    add_axes,
    add_rule,
    add_text,
    house_style,
    shorten,
    text_width,
)

_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_GUTTER = 0.07
_HEAD = 0.34
_TITLE = 0.2
_SCORE = 0.15
_ROW_GAP = 0.1
_KEY_LINE = 0.15
_KEY_BAR = 0.5

_TALLEST = 1.2  # height of a picture, as a multiple of its column's width


class _Column(NamedTuple):
    """A column: its direction, heading and contender, and the function that fills it."""

    direction: str
    heading: str
    contender: str
    picture: Callable[[Example], tuple] | None


class _Plan(NamedTuple):
    """The columns of a page, and the widths of page, picture and caption in inches."""

    columns: list[_Column]
    page: float
    picture: float
    caption: float

    def left(self, number: int) -> float:
        return _MARGIN + number * (self.picture + _GUTTER)


def draw_examples(examples: list[Example], directions: Collection[str]) -> Figure:
    """Draw the page of examples.

    Parameters
    ----------
    examples : list of Example
        One row each. A page without any says so.
    directions : collection of str
        The evaluated directions: only their columns are shown.

    Returns
    -------
    Figure
        As high as its rows need.
    """
    plan = _plan_page(directions)
    heights = [_row_height(example, plan) for example in examples]
    keys = _list_keys(directions)
    below = _MARGIN + _KEY_LINE * len(keys)
    with house_style():
        figure = Figure(figsize=(plan.page, _HEAD + (sum(heights) or _TITLE) + below))
        _write_headings(figure, plan)
        top = _HEAD
        for example, height in zip(examples, heights, strict=True):
            _draw_row(figure, example, plan, top)
            top += height
        if not examples:
            text = "No phrase of the first shard has a score."
            add_text(figure, _MARGIN, _HEAD + 0.1, text, fontsize=_SIZE)
        _write_keys(figure, keys)
    return figure


def _plan_page(directions: Collection[str]) -> _Plan:
    columns = [_Column("", "region", "", lambda example: (example.image, example.region))]
    if "text_to_image" in directions:
        columns += [
            _Column("text_to_image", LABELS[prompt], prompt, _overlay_of(prompt))
            for prompt in ("matched", "unimodal")
        ]
    if "image_to_text" not in directions:
        page = 5.0
        picture = (page - 2 * _MARGIN - 2 * _GUTTER) / 3
        return _Plan(columns, page, picture, 0)
    columns += [
        _Column("image_to_text", "input image", "", _masked_image),
        _Column("image_to_text", LABELS["matched"], "matched", None),
    ]
    picture = 1.1
    n_pictures = len(columns) - 1
    caption = PAGE_WIDTH - 2 * _MARGIN - n_pictures * (picture + _GUTTER)
    return _Plan(columns, PAGE_WIDTH, picture, caption)


def _overlay_of(prompt: str) -> Callable[[Example], tuple]:
    return lambda example: (overlay(example.image, example.maps[prompt]), example.region)


def _masked_image(example: Example) -> tuple:
    return example.image * example.region[..., None], None


def _picture_size(example: Example, plan: _Plan) -> tuple[float, float]:
    """Return the width and height in inches of an example's pictures."""
    height, width = example.region.shape
    scale = min(plan.picture / width, _TALLEST * plan.picture / height)
    return scale * width, scale * height


def _row_height(example: Example, plan: _Plan) -> float:
    body = _picture_size(example, plan)[1]
    if plan.caption:
        body = max(body, caption_height(example.text, example.phrase, plan.caption))
    return _TITLE + body + _SCORE + _ROW_GAP


def _draw_row(figure: Figure, example: Example, plan: _Plan, top: float) -> None:
    _write_title(figure, example, top)
    top += _TITLE
    width, height = _picture_size(example, plan)
    for number, column in enumerate(plan.columns):
        left = plan.left(number)
        if column.picture is None:
            _draw_caption_column(figure, example, left, top, plan.caption)
            continue
        show_picture(add_axes(figure, left, top, width, height), *column.picture(example))
        if column.contender:
            score = example.scores[column.direction, column.contender]
            add_text(figure, left, top + height + 0.1, f"score: {score}", fontsize=_SMALL)


def _draw_caption_column(
    figure: Figure, example: Example, left: float, top: float, width: float
) -> None:
    height = caption_height(example.text, example.phrase, width)
    axes = add_axes(figure, left, top, width, height)
    assert example.tokens is not None  # image to text is evaluated
    assert example.words is not None
    draw_caption(axes, example.text, example.phrase, example.tokens, example.words)
    matched, unimodal = (
        example.scores["image_to_text", prompt] for prompt in ("matched", "unimodal")
    )
    scores = f"score: {matched}, unimodal: {unimodal}"
    add_text(figure, left, top + height + 0.1, scores, fontsize=_SMALL)


def _write_title(figure: Figure, example: Example, top: float) -> None:
    right = figure.get_size_inches()[0] - _MARGIN
    add_rule(figure, _MARGIN, right, top + 0.02, color=FAINT, linewidth=0.4)
    rank = f"image {example.image_id} · above {100 * example.share:.0f} % of the shard's phrases"
    room = 72 * (right - _MARGIN) - text_width(rank, _SMALL) - 10
    start, end = example.phrase
    phrase = shorten(f"“{printable(example.text[start:end])}”", room, _SIZE, "bold")
    y = top + 0.14
    add_text(figure, _MARGIN, y, phrase, fontsize=_SIZE, fontweight="bold")
    add_text(figure, right, y, rank, fontsize=_SMALL, color=FAINT, ha="right")


def _write_headings(figure: Figure, plan: _Plan) -> None:
    """Write each column's name over a rule in its contender's colour, and each direction once."""
    named = {""}
    for number, column in enumerate(plan.columns):
        left = plan.left(number)
        width = plan.picture if column.picture else plan.caption
        if column.direction not in named:
            text = DIRECTION_LABELS[column.direction]
            add_text(figure, left, 0.13, text, fontsize=_SIZE, fontweight="bold")
            named.add(column.direction)
        heading = shorten(column.heading, 72 * width, _SMALL)
        add_text(figure, left, 0.25, heading, fontsize=_SMALL)
        if column.contender:
            color = COLORS[column.contender]
            add_rule(figure, left, left + width, 0.3, color=color, linewidth=2)


def _list_keys(directions: Collection[str]) -> list[tuple[Colormap | None, str]]:
    keys = []
    if "text_to_image" in directions:
        text = "relevance of pixels, from lowest to highest of each map; outlined: the region"
        keys.append((HEAT, text))
    if "image_to_text" in directions:
        text = (
            "relevance of tokens, from 0 to the highest of the caption; "
            "bold, underlined: the phrase; grey: beyond the context"
        )
        keys.append((SHADES, text))
    ranking = DIRECTION_LABELS[choice_direction(directions)]
    text = f"Rows spread evenly over the {ranking} scores of the first shard, one per image."
    return [*keys, (None, text)]


def choice_direction(directions: Collection[str]) -> str:
    """Return the direction whose scores choose the rows: text to image where it is evaluated."""
    return next(name for name in DIRECTION_LABELS if name in directions)


def _write_keys(figure: Figure, keys: list[tuple[Colormap | None, str]]) -> None:
    height = figure.get_size_inches()[1]
    for number, (colormap, text) in enumerate(keys):
        y = height - _MARGIN - (len(keys) - 1 - number) * _KEY_LINE
        if colormap is not None:
            axes = add_axes(figure, _MARGIN, y - 0.07, _KEY_BAR, 0.08)
            axes.imshow(np.linspace(0, 1, 256)[None], cmap=colormap, aspect="auto")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, linewidth=0.4)
        left = _MARGIN if colormap is None else _MARGIN + _KEY_BAR + 0.06
        add_text(figure, left, y, text, fontsize=_SMALL)
