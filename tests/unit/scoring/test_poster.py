"""The poster's protocol against the published code's outputs, torch and plain loops."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_mask

from clip_grounding.geometry import pad_to_square
from clip_grounding.scoring import poster

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
IMAGES = json.loads((GOLDEN / "image_entries.json").read_text())
TEXTS = json.loads((GOLDEN / "text_entries.json").read_text())


def test_text_to_image_scores_equal_the_published_code():
    for entry in IMAGES:
        side = entry["grid"]
        grid = np.array(entry["relevance"], dtype=np.float32).reshape(1, side, side)
        foreground, degenerate = poster.relevance_foreground(grid)
        size = [entry["height"], entry["width"]]
        region = coco_mask.decode({"size": size, "counts": entry["rle"]}).astype(bool)
        truth = poster.region_truth(region).reshape(1, -1)
        assert not degenerate[0]
        assert foreground.sum() == entry["otsu_pixels"]
        assert truth.sum() == entry["mask_pixels"]
        assert poster.two_class_iou(foreground, truth)[0] == pytest.approx(entry["iou"], abs=1e-6)


def split_by_utterance(entry):
    """Token ids of each utterance: tokens are consumed until they spell it."""
    tokens = list(zip(entry["token_ids"], entry["tokens"], strict=True))
    for utterance in entry["utterances"]:
        spelled, ids = "", []
        while spelled != utterance.lower().replace(" ", ""):
            token, text = tokens.pop(0)
            ids.append(token)
            spelled += text.replace(" ", "")
        yield ids


def test_image_to_text_scores_equal_the_published_code():
    for entry in TEXTS:
        phrase = list(split_by_utterance(entry))[entry["index"]]
        truth = poster.text_truth(entry["token_ids"], phrase)
        np.testing.assert_array_equal(truth, np.array(entry["reference_mask"], dtype=bool))
        scores = np.array(entry["scores"], dtype=np.float32)
        foreground, degenerate = poster.token_foreground(scores)
        np.testing.assert_array_equal(foreground, np.array(entry["otsu"], dtype=bool))
        assert not degenerate
        iou = poster.two_class_iou(foreground[None], truth[None])[0]
        assert iou == pytest.approx(entry["iou"], abs=1e-6)


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(0, 4, width=32),
    ),
    st.integers(1, 40),
)
def test_upsampling_equals_torch(grids, size):
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(grids)[None], size=(size, size), mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(poster.upsample(grids, size), expected.numpy(), atol=2e-6)


@given(
    arrays(bool, st.tuples(st.just(2), st.integers(1, 4), st.integers(1, 12))),
)
def test_the_score_is_the_mean_of_both_classes(masks):
    predicted, truth = masks
    for row, (p, t) in enumerate(zip(predicted, truth, strict=True)):
        ious = []
        for p_class, t_class in ((p, t), (~p, ~t)):
            either = (p_class | t_class).sum()
            ious.append((p_class & t_class).sum() / either if either else 0)
        expected = pytest.approx(np.mean(ious), abs=1e-6)
        assert poster.two_class_iou(predicted, truth)[row] == expected


def test_a_flat_map_predicts_nothing_and_is_flagged():
    grids = np.stack([np.full((7, 7), 2.0), np.zeros((7, 7)), np.eye(7)]).astype(np.float32)
    foreground, degenerate = poster.relevance_foreground(grids)
    assert degenerate.tolist() == [True, True, False]
    assert foreground.any(axis=1).tolist() == [False, False, True]


@pytest.mark.parametrize("relevance", [np.zeros(5), np.full(5, 0.2), np.empty(0)])
def test_flat_token_relevance_predicts_nothing_and_is_flagged(relevance):
    foreground, degenerate = poster.token_foreground(relevance.astype(np.float32))
    assert degenerate
    assert not foreground.any()
    assert foreground.shape == relevance.shape


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 10_000))
def test_the_resized_truth_is_pillows_of_the_whole_square(height, width, seed):
    generator = np.random.default_rng(seed)
    region = np.zeros((height * 5, width * 5), dtype=bool)
    rows, columns = (np.sort(generator.integers(0, side + 1, 2)) for side in region.shape)
    region[slice(*rows), slice(*columns)] = generator.random() < 0.9
    region &= generator.random(region.shape) < generator.choice([0.9, 1])
    padded = pad_to_square(region.astype(np.uint8) * np.uint8(255))
    whole = Image.fromarray(padded).resize((224, 224), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(poster.region_truth(region), np.asarray(whole) == 255)


def test_small_regions_vanish_when_resized():
    region = np.zeros((480, 640), dtype=bool)
    region[100, 100] = True
    assert not poster.region_truth(region).any()


def test_a_phrase_of_more_than_70_words_is_too_wordy():
    assert not poster.is_too_wordy(" ".join(["word"] * 70))
    assert poster.is_too_wordy(" ".join(["word"] * 71))


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (7, 7), (16, 16)])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 1e-12, -0.3])
def test_equal_values_are_a_flat_map_whatever_interpolation_leaves(shape, value):
    foreground, degenerate = poster.relevance_foreground(np.full((1, *shape), value, np.float32))
    assert degenerate.all()
    assert not foreground.any()
