"""The strict protocol: its metrics' ends and middle, and what it ignores."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clip_grounding.geometry import pad_to_square, upsample_to_image, upsample_to_square
from clip_grounding.scoring.draws import center_map
from clip_grounding.scoring.strict import (
    LEVELS,
    METRICS,
    overlapping_tokens,
    rank_map,
    score_regions,
    score_tokens,
)

NO_VOID = np.empty(0, dtype=np.int64)
RANKED = ["ap", "iou", "best_iou", "pointing", "mass"]

shapes = st.tuples(st.integers(2, 20), st.integers(2, 20))
regions = shapes.flatmap(lambda shape: arrays(bool, shape)).filter(
    lambda region: region.any() and not region.all()
)


def score(values, region, void=NO_VOID):
    scores = score_regions(rank_map(values, void), [np.flatnonzero(region)])
    return {name: value[0] for name, value in scores.items()}


@given(regions)
def test_a_perfect_map_scores_one_everywhere(region):
    scores = score(region.astype(np.float32), region)
    assert all(scores[name] == pytest.approx(1) for name in RANKED)
    assert scores["chance"] == region.mean()


@given(regions)
def test_an_inverted_map_scores_below_chance(region):
    scores = score((~region).astype(np.float32), region)
    assert scores["iou"] == scores["pointing"] == scores["mass"] == 0
    assert scores["ap"] == pytest.approx(region.mean())  # all of it is found last, tied


def test_an_inverted_ranking_scores_well_below_the_area():
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(20, 50)
    region = values < 0.3
    assert score(values, region)["ap"] < 0.7 * region.mean()


@given(regions, st.floats(-2, 2, width=32))
def test_a_constant_map_scores_exactly_the_area(region, value):
    scores = score(np.full(region.shape, value, dtype=np.float32), region)
    assert scores["ap"] == scores["pointing"] == scores["mass"] == scores["chance"] == region.mean()
    assert scores["iou"] == 0


@given(regions, st.data())
def test_void_pixels_count_for_nothing(region, data):
    values = data.draw(
        arrays(np.float32, region.shape, elements=st.sampled_from([0.0, 0.25, 0.5, 2.0]))
    )
    void = data.draw(arrays(bool, region.shape)) & ~region
    assume(not void.all())
    kept = (values[~void][None], region[~void][None])
    with_void = score(values, region, np.flatnonzero(void))
    changed = np.where(void, np.float32(9), values)
    for other in (score(*kept), score(changed, region, np.flatnonzero(void))):
        for name, value in with_void.items():
            np.testing.assert_allclose(value, other[name])


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 7))
def test_upsampling_is_torchs_on_the_padded_square_with_the_padding_cropped(height, width, side):
    grid = np.random.default_rng(side).random((side, side), dtype=np.float32)
    padded = pad_to_square(np.zeros((height, width))).shape
    square = torch.nn.functional.interpolate(
        torch.from_numpy(grid)[None, None], size=padded, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    rows, columns = (padded[0] - height) // 2, (padded[1] - width) // 2
    expected = square[rows : rows + height, columns : columns + width]
    np.testing.assert_allclose(upsample_to_image(grid, height, width), expected, atol=2e-6)


tokens = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, n, elements=st.sampled_from(np.float32([0, 0.1, 0.2, 0.7, 1]))),
        arrays(bool, n).filter(np.any),
    )
)


@given(tokens)
def test_tokens_score_as_pixels_do(case):
    relevance, truth = case
    as_pixels = score(relevance[None], truth[None])
    as_tokens = score_tokens(relevance, truth)
    assert list(as_tokens) == [*METRICS, "curve"]
    for name, value in as_pixels.items():
        np.testing.assert_array_equal(as_tokens[name], value)


@given(regions, st.integers(0, 99))
def test_the_curve_is_the_iou_at_each_share_of_the_range(region, seed):
    values = np.random.default_rng(seed).choice(np.float32([0, 0.3, 0.5, 0.8, 1]), region.shape)
    assume(values.max() > values.min())
    curve = score(values, region)["curve"]
    low, high = float(values.min()), float(values.max())
    for level, iou in zip(LEVELS, curve, strict=True):
        predicted = values >= np.float32(low + level * (high - low))
        assert iou == pytest.approx((predicted & region).sum() / (predicted | region).sum())
    assert curve[0] == pytest.approx(region.mean())


def test_a_token_overlaps_a_phrase_if_they_share_a_character():
    starts, ends = np.array([0, 4, 9, 14]), np.array([3, 8, 13, 18])
    overlap = overlapping_tokens(starts, ends, 4, 13)
    assert overlap.tolist() == [False, True, True, False]
    assert overlapping_tokens(starts, ends, 7, 10).tolist() == [False, True, True, False]


@pytest.mark.parametrize("side", [2, 4, 7, 14, 16])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (425, 640), (480, 640), (500, 333)])
def test_pixels_that_mirror_each_other_in_a_symmetric_map_are_tied(side, height, width):
    square = upsample_to_square(center_map(side, side), height, width)
    np.testing.assert_array_equal(square, square[::-1])
    np.testing.assert_array_equal(square, square[:, ::-1])
