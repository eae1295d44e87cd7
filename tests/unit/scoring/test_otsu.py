"""Batched Otsu against scikit-image and numpy, one map at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu

from clip_grounding.scoring.otsu import histogram_of_sorted, otsu_thresholds

floats = st.floats(0, 1, width=32).filter(lambda value: value == 0 or value > 1e-6)
rows = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 60)), elements=floats)


def well_spread(row):
    """Whether 256 bins of the row's range have distinct edges, as numpy demands."""
    return np.ptp(row) > 1e-4 * max(abs(row).max(), 1e-6)


@given(rows)
def test_thresholds_equal_scikit_image(values):
    ours = otsu_thresholds(values)
    for row, threshold in zip(values, ours, strict=True):
        if well_spread(row) or np.ptp(row) == 0:
            assert threshold == threshold_otsu(row)


@given(rows)
def test_histograms_equal_numpy(values):
    for row in values:
        if well_spread(row):
            counts, edges = histogram_of_sorted(np.sort(row))
            expected_counts, expected_edges = np.histogram(row, bins=256)
            np.testing.assert_array_equal(counts, expected_counts)
            np.testing.assert_array_equal(edges, expected_edges)


@given(rows, st.randoms())
def test_a_row_does_not_depend_on_its_neighbours(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    np.testing.assert_array_equal(otsu_thresholds(values[order]), otsu_thresholds(values)[order])


@given(
    st.sampled_from([1e-38, 0.3, 1.0, 3e5]),
    st.lists(st.integers(0, 300), min_size=1, max_size=30),
    st.booleans(),
)
def test_values_a_few_roundings_apart_are_split_as_in_double_precision(low, steps, negative):
    """Of so small a range single precision has too few numbers for 256 bins."""
    step = np.spacing(np.float32(low))
    row = np.float32(low) + step * np.array([0, *steps], np.float32)
    row = -row if negative else row
    try:
        expected = threshold_otsu(row)
    except ValueError:
        expected = threshold_otsu(row.astype(np.float64))
    np.testing.assert_array_equal(row > otsu_thresholds(row[None])[0], row > expected)


def test_nothing_lies_above_the_threshold_of_a_constant_row():
    values = np.full((2, 9), 0.3, dtype=np.float32)
    assert not (values > otsu_thresholds(values)[:, None]).any()
