"""Histogram metrics against scikit-learn and scikit-image on full-resolution maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from sklearn.metrics import average_precision_score

from clip_grounding.histogram_metrics import (
    N_FINE,
    average_precision,
    best_iou,
    fine_bins,
    otsu_iou,
)
from clip_grounding.strict import upsample_to_image


def histograms(values, truth):
    bins = fine_bins(values)
    return [np.bincount(bins[part], minlength=N_FINE)[None] for part in (truth, ~truth)]


def full_size_case(seed):
    """A relevance map as CLIP gives them (heavy-tailed, many zeros) and a blob of a region."""
    generator = np.random.default_rng(seed)
    side = generator.choice([7, 14, 24])
    grid = np.maximum(generator.standard_t(2, size=(side, side)), 0).astype(np.float32)
    height, width = generator.choice([427, 480, 640], size=2)
    rows, columns = np.mgrid[:height, :width]
    center = generator.uniform(0, [height, width])
    radius = generator.uniform(10, 200)
    truth = np.hypot(rows - center[0], columns - center[1]) < radius
    return upsample_to_image(grid, height, width).ravel(), truth.ravel()


@pytest.mark.parametrize("seed", range(12))
def test_binned_metrics_equal_exact_ones_at_full_resolution(seed):
    values, truth = full_size_case(seed)
    inside, outside = histograms(values, truth)
    exact = average_precision_score(truth, values)
    assert average_precision(inside, outside)[0] == pytest.approx(exact, abs=1e-3)

    predicted = values > threshold_otsu(values)
    iou = (predicted & truth).sum() / (predicted | truth).sum()
    assert otsu_iou(inside, outside)[0] == pytest.approx(iou, abs=1e-4)

    thresholds = np.quantile(values, np.linspace(0, 1, 200))
    found = max((truth & (values >= t)).sum() / (truth | (values >= t)).sum() for t in thresholds)
    assert best_iou(inside, outside)[0] >= found - 2e-3


counts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12).filter(
    lambda rows: any(inside for inside, _ in rows)
)


@given(counts)
def test_average_precision_of_tied_bins_equals_scikit_learn(rows):
    inside, outside = np.array(rows).T
    values = np.repeat(np.arange(len(rows)), inside + outside)
    truth = np.concatenate([np.repeat([True, False], row) for row in rows])
    expected = average_precision_score(truth, values)
    assert average_precision(inside[None], outside[None])[0] == pytest.approx(expected)


@given(counts)
def test_the_best_iou_is_the_best_over_all_thresholds(rows):
    inside, outside = np.array(rows).T
    ious = [inside[i:].sum() / (inside.sum() + outside[i:].sum()) for i in range(len(rows))]
    assert best_iou(inside[None], outside[None])[0] == pytest.approx(max(ious))
