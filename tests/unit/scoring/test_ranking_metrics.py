"""Metrics of a ranking against scikit-learn and scikit-image, on maps that bins get wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu
from sklearn.metrics import average_precision_score

from clip_grounding.geometry import upsample_to_image
from clip_grounding.scoring.strict import rank_map, score_regions

HEIGHT, WIDTH = 48, 64


def score(values, truth):
    scores = score_regions(rank_map(values), [np.flatnonzero(truth)])
    return {name: own[0] for name, own in scores.items()}


def every_iou(values, truth):
    """Foreground IoU at each distinct value, one threshold after the other."""
    return [
        (truth & (values >= level)).sum() / (truth | (values >= level)).sum()
        for level in np.unique(values)
    ]


def heavy_tailed(generator, shape):
    return np.maximum(generator.standard_t(1, shape), 0)


def with_sinks(generator, shape):
    """A few patches far above the rest, as the registers of large ViTs."""
    values = generator.random(shape)
    values.flat[generator.integers(values.size, size=3)] = 1e6
    return values


def signed(generator, shape):
    return generator.standard_t(2, shape)


def tied(generator, shape):
    return generator.integers(0, 3, shape) / 3


def narrow(generator, shape):
    """A range of a few hundred of the smallest steps of single precision."""
    return 1 + generator.random(shape) * 5e-5


KINDS = [heavy_tailed, with_sinks, signed, tied, narrow]


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), side=st.sampled_from([1, 4, 7, 16]))
def test_ap_and_best_iou_are_those_of_the_ranking(kind, seed, side):
    generator = np.random.default_rng(seed)
    grid = kind(generator, (side, side)).astype(np.float32)
    values = upsample_to_image(grid, HEIGHT, WIDTH).ravel()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    center = generator.uniform(0, [HEIGHT, WIDTH])
    distances = np.hypot(rows - center[0], columns - center[1]).ravel()
    truth = distances <= max(distances.min(), generator.uniform(0, 40))
    scores = score(values, truth)
    assert scores["ap"] == pytest.approx(average_precision_score(truth, values), abs=1e-9)
    if np.ptp(values) > 0:
        assert scores["best_iou"] == max(every_iou(values, truth))


cases = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        arrays(
            np.float32,
            n,
            elements=st.one_of(
                st.sampled_from(np.float32([0, -1, 0.5, 1e-30, 1e30])),
                st.floats(-1e3, 1e3, width=32),
            ),
        ),
        arrays(bool, n).filter(np.any),
    )
)


@given(cases)
def test_any_values_score_as_scikit_learn_and_every_threshold_say(case):
    values, truth = case
    scores = score(values, truth)
    assert scores["ap"] == pytest.approx(average_precision_score(truth, values), abs=1e-9)
    if np.ptp(values) > 0:
        assert scores["best_iou"] == max(every_iou(values, truth))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_iou_is_that_of_scikit_images_threshold_pixel_for_pixel(kind, seed):
    generator = np.random.default_rng(seed)
    grid = kind(generator, (7, 7)).astype(np.float32)
    values = upsample_to_image(grid, 480, 640).ravel()
    truth = generator.random(values.size) < 0.1
    predicted = values > threshold_otsu(values)
    assert score(values, truth)["iou"] == (predicted & truth).sum() / (predicted | truth).sum()


def test_a_patch_far_above_the_rest_hides_no_ranking():
    """Equal bins of the range would put all but one value into the lowest."""
    values = np.arange(1, 10_001, dtype=np.float32)
    values[-1] = 1e9
    truth = values > 9_000
    scores = score(values, truth)
    assert scores["ap"] == scores["best_iou"] == 1


def test_equal_patches_stay_tied_between_their_centres():
    grid = np.full((5, 5), 0.1, dtype=np.float32)
    grid[0, 0] = 0.3
    values = upsample_to_image(grid, 97, 131)
    assert (values[40:] == np.float32(0.1)).all()


def test_a_mirrored_map_has_mirrored_ties():
    grid = np.random.default_rng(0).random((7, 7), dtype=np.float32)
    grid += grid[:, ::-1]
    values = upsample_to_image(grid, 97, 97)
    np.testing.assert_array_equal(values, values[:, ::-1])
