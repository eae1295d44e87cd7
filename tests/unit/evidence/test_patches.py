"""Regions on patches against slow oracles, and their shifted controls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from clip_grounding.evidence.patches import (
    choose_patches,
    content_rectangle,
    region_shares,
    shift_patches,
)
from clip_grounding.geometry import pad_to_square

SIDES = st.integers(1, 40)
GRIDS = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(height=SIDES, width=SIDES, grid=GRIDS)
def test_the_content_is_the_patches_whose_centre_is_in_the_image(height, width, grid):
    inside = pad_to_square(np.ones((height, width), bool))
    centers = [(np.arange(n) + 0.5) / n * side for n, side in zip(grid, inside.shape, strict=True)]
    expected = inside[np.ix_(*(np.floor(own + 1e-9).astype(int) for own in centers))]
    rectangle = content_rectangle(height, width, grid)
    marked = np.zeros(grid, bool)
    rectangle.crop(marked)[:] = True
    assert rectangle.shape == (marked.any(1).sum(), marked.any(0).sum())
    if expected.any():
        np.testing.assert_array_equal(marked, expected)
    else:  # too narrow for any centre
        assert min(rectangle.shape) == 1


@given(region=arrays.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))), grid=GRIDS)
def test_shares_are_areas(region, grid):
    """Each pixel cut into as many pieces as a side has patches, so that no piece is cut again."""
    pieces = [
        pad_to_square(part).repeat(grid[0], 0).repeat(grid[1], 1)
        for part in (region, np.ones_like(region))
    ]
    patches = [
        own.reshape(grid[0], own.shape[0] // grid[0], grid[1], -1).sum((1, 3)) for own in pieces
    ]
    expected = np.where(patches[1] > 0, patches[0] / np.maximum(patches[1], 1), 0)
    np.testing.assert_allclose(region_shares(region, grid), expected, atol=1e-9)


def test_a_region_has_as_many_patches_as_its_area_and_at_least_one():
    shares = np.array([[1.0, 0.9, 0.2], [0.5, 0.5, 0.3]])  # 3.4 patches
    np.testing.assert_array_equal(choose_patches(shares), [[1, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(choose_patches(shares / 9), [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(choose_patches(np.array([[0.5, 1.0]])), [[1, 1]])  # 1.5 up
    assert choose_patches(np.ones((3, 3))).all()


@pytest.mark.parametrize(("height", "width"), [(427, 640), (640, 427), (333, 500), (480, 480)])
def test_a_region_of_the_whole_image_has_all_of_its_patches(height, width):
    grid = (7, 7)
    shares = region_shares(np.ones((height, width), bool), grid)
    assert choose_patches(content_rectangle(height, width, grid).crop(shares)).all()


def all_shifts(patches):
    rows, columns = patches.shape
    return {
        np.roll(own, (row, column), (0, 1)).tobytes()
        for own in (patches, patches[:, ::-1])
        for row in range(rows)
        for column in range(columns)
    } - {patches.tobytes()}


@given(
    patches=arrays.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 5))),
    count=st.integers(0, 60),
    seed=st.integers(0, 9),
)
def test_controls_are_distinct_shifts_and_never_the_region(patches, count, seed):
    controls = shift_patches(patches, count, np.random.default_rng(seed))
    assert controls.shape[1:] == patches.shape
    found = {control.tobytes() for control in controls}
    possible = all_shifts(patches)
    assert len(found) == len(controls) == min(count, len(possible))
    assert found <= possible


def test_every_shift_is_drawn_as_often_as_any_other():
    patches = np.zeros((3, 4), bool)
    patches[0, :2] = patches[1, 0] = True  # a shape that is not its own mirror image
    drawn = [
        shift_patches(patches, 1, np.random.default_rng(seed))[0].tobytes() for seed in range(4600)
    ]
    counts = np.array([drawn.count(shift) for shift in all_shifts(patches)])
    assert len(counts) == 23
    assert np.square(counts - 200).sum() / 200 < 50  # chi-square of 22: above it once in 1,600
