"""The page of examples: what is chosen, and that nothing on it overlaps or is cut."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pycocotools import mask as coco_mask

from clip_grounding.figures.captions import LINE_HEIGHT, caption_height, draw_caption, wrap_words
from clip_grounding.figures.examples import choose_examples, gather_examples
from clip_grounding.figures.overlays import overlay
from clip_grounding.figures.pages import draw_examples
from clip_grounding.figures.style import add_axes, house_style, save_figure

BOTH = ["text_to_image", "image_to_text"]
pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # of characters that the font lacks

WORDS = "in this image i can see two small red stars on the wide sand and , behind them , the sky"
LONG = " ".join((WORDS.split() * 5)[:70])
HOSTILE = (
    "$\\frac{a}{b}$ two_stars^2 \\textbf{x} %d {} <script> 漢字 🦄 שלום e\u0301\u202e tab\t\x07end"
)


def scores_of(values, images=None, prompt="matched"):
    count = len(values)
    return pd.DataFrame(
        {
            "narrative": range(count),
            "phrase": 0,
            "image_id": range(count) if images is None else images,
            "prompt": prompt,
            "poster_iou": np.asarray(values, dtype=np.float32),
            "degenerate": False,
        }
    )


def tables_of(texts, sizes, directions=BOTH):
    """The tables of narratives with one phrase each, their words 3 and 4, and a `read_image`."""
    rng = np.random.default_rng(0)
    narratives, phrases, masks = [], [], []
    relevance = {direction: [] for direction in directions}
    for n, (text, (height, width)) in enumerate(zip(texts, sizes, strict=True)):
        spans, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            spans.append((at, at + len(word)))
            at += len(word)
        start, end = spans[min(3, len(spans) - 1)][0], spans[min(4, len(spans) - 1)][1]
        narratives.append((n, n, f"{n:012d}.jpg", height, width, text))
        phrases.append((n, 0, n, text[start:end], start, end, 0))
        region = np.zeros((height, width), np.uint8, order="F")
        region[height // 4 : height // 2, width // 3 :] = 1
        masks.append((n, 0, height, width, coco_mask.encode(region)["counts"]))
        for prompt in ("matched", "unimodal"):
            if "text_to_image" in directions:
                grid = rng.random(49, dtype=np.float32)
                relevance["text_to_image"].append((n, 0, n, prompt, 7, 7, grid))
            if "image_to_text" in directions:
                starts, ends = np.array(spans, np.int32).T
                shares = rng.random(len(spans), dtype=np.float32)
                relevance["image_to_text"].append((n, 0, n, prompt, starts, ends, shares))
    keys = ["narrative", "phrase", "image_id", "prompt"]
    columns = {
        "text_to_image": [*keys, "grid_height", "grid_width", "relevance"],
        "image_to_text": [*keys, "token_starts", "token_ends", "relevance"],
    }
    scores = np.linspace(0.1, 0.9, len(texts))
    both = pd.concat([scores_of(scores), scores_of(scores / 2, prompt="unimodal")])
    chosen = choose_examples(both, len(texts))
    return chosen, {
        "narratives": pd.DataFrame(
            narratives, columns=["narrative", "image_id", "file_name", "height", "width", "text"]
        ),
        "phrases": pd.DataFrame(
            phrases,
            columns=[*keys[:3], "utterance", "char_start", "char_end", "mask"],
        ),
        "masks": pd.DataFrame(masks, columns=["image_id", "mask", "height", "width", "counts"]),
        "relevance": {d: pd.DataFrame(rows, columns=columns[d]) for d, rows in relevance.items()},
        "scores": dict.fromkeys(directions, both),
        "read_image": lambda _, height, width: _photograph(height, width),
    }


def _photograph(height, width):
    y, x = np.mgrid[:height, :width]
    red, green = 255 * y // height, 255 * x // width
    return np.stack([red, green, 128 + 100 * np.sin(x / 9)], axis=-1).astype(np.uint8)


def page_of(texts, sizes, directions=BOTH):
    chosen, tables = tables_of(texts, sizes, directions)
    return draw_examples(gather_examples(chosen, **tables), directions)


def boxes_of(figure):
    """Every visible text of a figure with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    with house_style():
        canvas.draw()
        renderer = canvas.get_renderer()
        texts = list(figure.texts)
        for axes in figure.axes:
            texts += axes.texts
        return [(text.get_text(), text.get_window_extent(renderer)) for text in texts]


def overlapping(boxes, slack=0.5):
    return [
        (one, other)
        for i, (one, a) in enumerate(boxes)
        for other, b in boxes[i + 1 :]
        if min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack
    ]


def test_chosen_phrases_spread_evenly_over_the_scores():
    chosen = choose_examples(scores_of(np.linspace(0, 1, 100)), 5)
    assert chosen["narrative"].tolist() == [89, 69, 49, 29, 9]
    assert chosen["share"].tolist() == [0.89, 0.69, 0.49, 0.29, 0.09]


def test_the_choice_does_not_depend_on_the_order_of_rows():
    scores = scores_of(np.random.default_rng(0).random(50).round(1))
    shuffled = scores.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(choose_examples(scores, 6), choose_examples(shuffled, 6))


def test_chosen_phrases_are_of_different_images():
    scores = scores_of(np.linspace(0, 1, 60), images=np.arange(60) // 20)
    chosen = choose_examples(scores, 6)
    assert sorted(chosen["image_id"]) == [0, 1, 2]


def test_phrases_without_a_score_are_not_chosen():
    assert choose_examples(scores_of([np.nan, 0.5, np.nan]), 6)["narrative"].tolist() == [1]
    assert choose_examples(scores_of([np.nan]), 6).empty


def test_a_flat_map_has_one_colour():
    image = np.full((4, 6, 3), 90, np.uint8)
    assert len(np.unique(overlay(image, np.ones((4, 6))).reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("text", [LONG, HOSTILE, "x" * 300 + " end", "  spaces   kept  ", ""])
def test_every_character_of_a_caption_is_in_exactly_one_word(text):
    words = wrap_words(text, (3, 9), 150)
    drawn = [position for word in words for position in range(word.start, word.end)]
    assert drawn == [position for position, c in enumerate(text) if not c.isspace()]
    assert all(word.edges[-1] <= 150 for word in words)


@pytest.mark.parametrize("text", [LONG, HOSTILE, "x" * 300 + " end"])
def test_words_are_inside_their_axes_and_do_not_overlap(text):
    height = caption_height(text, (0, 5), 2.0)
    figure = Figure(figsize=(2.2, height + 0.2), dpi=200)
    with house_style():
        axes = add_axes(figure, 0.1, 0.1, 2.0, height)
        draw_caption(axes, text, (0, 5), np.array([[0, 5]]), np.array([1.0]))
    boxes = boxes_of(figure)
    frame = axes.get_window_extent()
    assert len(boxes) == len(wrap_words(text, (0, 5), 144))
    assert not overlapping(boxes)
    for text, box in boxes:
        assert frame.x0 - 0.5 <= box.x0 <= box.x1 <= frame.x1 + 0.5, text
        assert frame.y0 - 0.5 <= box.y0 <= box.y1 <= frame.y1 + 0.5, text


def test_a_token_is_shaded_where_it_stands_and_by_its_share_of_the_largest():
    figure = Figure(figsize=(3, 1))
    with house_style():
        axes = add_axes(figure, 0, 0, 3, LINE_HEIGHT / 72)
        draw_caption(axes, "red stars", (0, 9), np.array([[0, 3], [4, 9]]), np.array([0.0, 2.0]))
    red, stars = sorted(axes.patches, key=lambda patch: patch.get_x())
    words = wrap_words("red stars", (0, 9), 216)
    assert red.get_facecolor()[:3] == (1, 1, 1)
    assert stars.get_facecolor()[:3] == pytest.approx((0xE6 / 255, 0x9F / 255, 0), abs=1e-6)
    assert stars.get_x() == words[1].edges[0]
    assert stars.get_x() + stars.get_width() == pytest.approx(words[1].edges[-1])
    (underline,) = axes.lines
    assert underline.get_xdata().tolist() == [0, words[1].edges[-1]]


@pytest.mark.parametrize("directions", [BOTH, BOTH[:1], BOTH[1:]])
def test_nothing_on_the_page_overlaps_or_is_cut(directions):
    texts = [LONG, WORDS, HOSTILE, "a cat"]
    figure = page_of(texts, [(48, 64), (96, 64), (30, 200), (64, 64)], directions)
    boxes = boxes_of(figure)
    assert not overlapping(boxes)
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1 + 0.5, text
        assert box.y1 <= figure.bbox.y1, text
    pictures = [(str(i), axes.get_window_extent()) for i, axes in enumerate(figure.axes)]
    assert not overlapping(pictures)
    captions = {id(text) for axes in figure.axes for text in axes.texts}
    assert bool(captions) == ("image_to_text" in directions)


def test_every_word_of_a_caption_is_on_the_page_once():
    figure = page_of([LONG], [(48, 64)])
    drawn = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert drawn == LONG.split()


def test_a_page_without_examples_says_so(tmp_path):
    figure = draw_examples([], BOTH)
    assert any("No phrase" in text for text, _ in boxes_of(figure))
    save_figure(figure, [tmp_path / "page.pdf", tmp_path / "page.png"], dpi=100)


def test_a_phrase_left_out_of_a_direction_is_shown_without_a_score():
    chosen, tables = tables_of([WORDS], [(48, 64)])
    left_out = tables["scores"]["image_to_text"].assign(poster_iou=np.nan)
    tables["scores"] = {**tables["scores"], "image_to_text": left_out}
    figure = draw_examples(gather_examples(chosen, **tables), BOTH)
    drawn = [text for text, _ in boxes_of(figure)]
    assert "score: none, unimodal: none" in drawn


def test_the_same_page_is_the_same_bytes_in_another_process(tmp_path):
    def paths(name):
        return [tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"]

    save_figure(page_of([HOSTILE], [(48, 64)]), paths("here"), dpi=80)
    code = (
        f"import sys; sys.path[:0] = {[os.path.dirname(__file__), *sys.path]}\n"
        "from test_figures_examples import HOSTILE, page_of, save_figure\n"
        "save_figure(page_of([HOSTILE], [(48, 64)]), sys.argv[1:], dpi=80)\n"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *paths("there")],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
    )
    for here, there in zip(paths("here"), paths("there"), strict=True):
        assert here.read_bytes() == there.read_bytes()
    assert b"/Subtype /Type3" not in paths("here")[0].read_bytes()
