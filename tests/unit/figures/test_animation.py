"""The animation of a narrative: a frame per phrase, each with its own phrase and map."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image, ImageSequence
from pycocotools import mask as coco_mask

from clip_grounding.errors import InputError
from clip_grounding.figures.animation import (
    choose_narrative,
    draw_frames,
    find_narrative,
    ground_phrases,
    save_animation,
)
from clip_grounding.figures.overlays import HEAT
from clip_grounding.figures.style import COLORS, PHRASE, WORD_SHADES

TEXT = "two red stars on the wide sand and , behind them , the sky"
SPANS = [(0, 13), (21, 30), (50, 58)]
HEIGHT, WIDTH = 60, 90


def tables_of(narratives=(4,)):
    """Phrases, masks and maps of narratives on one image; map k is brightest in patch k."""
    phrases, maps = [], []
    for narrative in narratives:
        for number, span in reversed(list(enumerate(SPANS))):
            phrases.append((narrative, number, 7, *span, number))
            for prompt in ("matched", "unimodal"):
                grid = np.zeros(9, np.float32)
                grid[number if prompt == "matched" else 8] = 1
                maps.append((narrative, number, 7, prompt, 3, 3, grid))
    masks = []
    for number in range(len(SPANS)):
        region = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
        region[:, 30 * number : 30 * (number + 1)] = 1
        masks.append((7, number, HEIGHT, WIDTH, coco_mask.encode(region)["counts"]))
    key = ["narrative", "phrase", "image_id"]
    return (
        pd.DataFrame(phrases, columns=[*key, "char_start", "char_end", "mask"]),
        pd.DataFrame(masks, columns=["image_id", "mask", "height", "width", "counts"]),
        pd.DataFrame(maps, columns=[*key, "prompt", "grid_height", "grid_width", "relevance"]),
    )


def frames_of(text=TEXT, image=None):
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8) if image is None else image
    return draw_frames(image, text, ground_phrases(4, *tables_of()), "b32, last")


def opened(path):
    with Image.open(path) as animation:
        durations = {frame.info["duration"] for frame in ImageSequence.Iterator(animation)}
        frames = [
            np.asarray(frame.convert("RGB")).astype(int)
            for frame in ImageSequence.Iterator(animation)
        ]
        return frames, durations, animation.info


def pixels_like(frame, color, tolerance=24):
    return np.argwhere(np.abs(frame - 255 * np.array(to_rgb(color))).max(axis=2) <= tolerance)


def test_phrases_come_in_the_order_of_the_caption_with_their_own_region_and_matched_map():
    grounded = ground_phrases(4, *tables_of())
    assert [phrase.span for phrase in grounded] == SPANS
    for number, phrase in enumerate(grounded):
        assert phrase.region[:, 30 * number : 30 * (number + 1)].all()
        assert phrase.region.sum() == HEIGHT * 30
        row, column = np.unravel_index(phrase.relevance.argmax(), phrase.relevance.shape)
        assert (row // 30, column // 30) == (0, number)


def test_the_file_has_the_image_and_then_a_frame_per_phrase(tmp_path):
    save_animation(frames_of(), tmp_path / "a.gif", seconds=0.5)
    frames, durations, info = opened(tmp_path / "a.gif")
    assert len(frames) == 1 + len(SPANS)
    assert durations == {500}
    assert info["loop"] == 0
    assert len({frame.shape for frame in frames}) == 1


def test_each_frame_marks_its_phrase_further_on_in_the_caption(tmp_path):
    save_animation(frames_of(), tmp_path / "a.gif")
    plain, *frames = opened(tmp_path / "a.gif")[0]
    assert len(pixels_like(plain, WORD_SHADES[1])) == 0
    assert len(pixels_like(plain, PHRASE)) == 0
    lefts = []
    for frame in frames:
        shade, line = pixels_like(frame, WORD_SHADES[1]), pixels_like(frame, PHRASE)
        assert len(shade) > 50
        assert len(line) > 10
        lefts.append((shade[:, 0].min() // 12, shade[:, 1].min()))
    assert lefts == sorted(lefts)
    assert len(set(lefts)) == len(SPANS)


def test_the_overlay_of_each_frame_is_brightest_where_its_map_is(tmp_path):
    save_animation(frames_of(), tmp_path / "a.gif")
    _, *frames = opened(tmp_path / "a.gif")[0]
    brightest = 0.65 * 255 * np.array(HEAT(1.0)[:3]) + 0.35 * 90
    columns = []
    for frame in frames:
        near = np.abs(frame - brightest).max(axis=2) < 30
        columns.append(np.argwhere(near)[:, 1].mean() / frame.shape[1])
    assert [int(3 * column) for column in columns] == [0, 1, 2]


def test_colours_that_mean_something_survive_the_palette(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    save_animation(frames_of(image=noise), tmp_path / "a.gif")
    for frame in opened(tmp_path / "a.gif")[0]:
        assert len(pixels_like(frame, COLORS["matched"], tolerance=0)) > 100
        assert (frame[0, 0] == 255).all()
    for frame in opened(tmp_path / "a.gif")[0][1:]:
        assert len(pixels_like(frame, WORD_SHADES[1], tolerance=0)) > 50


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("size", [(20, 400), (400, 20), (1, 1)])
def test_any_caption_and_any_image_give_frames_of_one_shape(size):
    text = TEXT + " $\\frac{a}{b}$ 漢字 🦄 \u202e tab\t\x07end " + "word" * 60
    phrases, masks, maps = tables_of()
    empty = coco_mask.encode(np.zeros(size, np.uint8, order="F"))["counts"]
    masks = masks.assign(height=size[0], width=size[1], counts=[empty] * len(masks))
    image = np.zeros((*size, 3), np.uint8)
    frames = draw_frames(image, text, ground_phrases(4, phrases, masks, maps), "long" * 60)
    assert len({frame.shape for frame in frames}) == 1


def test_the_same_frames_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_animation(frames_of(), tmp_path / f"{name}.gif")
    assert (tmp_path / "one.gif").read_bytes() == (tmp_path / "two.gif").read_bytes()


def test_the_example_with_the_most_phrases_is_chosen():
    phrases = pd.DataFrame({"narrative": [1, 2, 2, 3, 3, 9, 9, 9]})
    examples = pd.DataFrame({"narrative": [1, 3, 2]}, index=[5, 4, 0])
    assert choose_narrative(examples, phrases) == 3


def test_without_an_example_the_message_says_what_to_set():
    with pytest.raises(InputError, match="figures: animation"):
        choose_narrative(pd.DataFrame({"narrative": []}), pd.DataFrame({"narrative": [1]}))


def test_a_narrative_that_is_unknown_or_not_evaluated_is_named():
    narratives = pd.DataFrame({"narrative": [3, 4], "text": ["a", "b"]})
    assert find_narrative(4, narratives)["text"] == "b"
    with pytest.raises(InputError, match=r"narrative 17: .* highest number is 4"):
        find_narrative(17, narratives)
    with pytest.raises(InputError, match="narrative 5: no phrase of it was evaluated"):
        ground_phrases(5, *tables_of())
