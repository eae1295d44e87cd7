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
from clip_grounding.geometry import WHOLE, View, pad_to_square

SIDES = st.integers(1, 40)
GRIDS = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(height=SIDES, width=SIDES, grid=GRIDS)
def test_the_content_is_the_patches_whose_centre_is_in_the_image(height, width, grid):
    inside = pad_to_square(np.ones((height, width), bool))
    centers = [(np.arange(n) + 0.5) / n * side for n, side in zip(grid, inside.shape, strict=True)]
    expected = inside[np.ix_(*(np.floor(own + 1e-9).astype(int) for own in centers))]
    rectangle = content_rectangle(height, width, grid, WHOLE)
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
    np.testing.assert_allclose(region_shares(region, grid, WHOLE), expected, atol=1e-9)


def test_a_region_has_as_many_patches_as_its_area_and_at_least_one():
    shares = np.array([[1.0, 0.9, 0.2], [0.5, 0.5, 0.3]])  # 3.4 patches
    np.testing.assert_array_equal(choose_patches(shares), [[1, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(choose_patches(shares / 9), [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(choose_patches(np.array([[0.5, 1.0]])), [[1, 1]])  # 1.5 up
    assert choose_patches(np.ones((3, 3))).all()


@pytest.mark.parametrize(("height", "width"), [(427, 640), (640, 427), (333, 500), (480, 480)])
def test_a_region_of_the_whole_image_has_all_of_its_patches(height, width):
    grid = (7, 7)
    shares = region_shares(np.ones((height, width), bool), grid, WHOLE)
    assert choose_patches(content_rectangle(height, width, grid, WHOLE).crop(shares)).all()


@given(
    height=SIDES,
    width=SIDES,
    n=st.sampled_from([1, 2, 4]),
    view=st.builds(View, st.just(24), st.sampled_from([20, 24]), st.booleans()),
    seed=st.integers(0, 9),
)
def test_patches_cover_what_the_preprocessing_leaves_for_them(height, width, n, view, seed):
    """The square resized by repeating pixels, cropped at its centre, cut after the last patch."""
    region = np.random.default_rng(seed).random((height, width)) < 0.5
    squares = [pad_to_square(part) for part in (region, np.ones_like(region))]
    sides = squares[0].shape
    seen = []
    for square in squares:
        for axis, side in enumerate(sides):
            resized = int(view.size * side / min(sides)) if view.crops else view.size
            margin = (resized - view.size) // 2
            # As many pieces of a pixel as the resized side has pixels: each of these is `side`.
            square = square.repeat(resized, axis)
            square = square.take(np.arange(margin * side, (margin + view.covered) * side), axis)
        seen.append(square)
    pieces = [own.reshape(n, own.shape[0] // n, n, -1).sum((1, 3)) for own in seen]
    expected = np.where(pieces[1] > 0, pieces[0] / np.maximum(pieces[1], 1), 0)
    np.testing.assert_allclose(region_shares(region, (n, n), view), expected, atol=1e-9)


def test_a_crop_cuts_the_rim_of_a_small_image():
    """101 x 100: the longer side becomes 226 of 224 pixels, and a pixel is cut at each end."""
    view, grid = View(224, 224, crops=True), (224, 224)
    region = np.zeros((101, 100), bool)
    region[0] = True
    shares = region_shares(region, grid, view)
    rows = 101 / 226 * np.arange(1, 226)  # the edges of the patches, in pixels of the image
    expected = np.clip((1 - rows[:-1]) / np.diff(rows), 0, 1)
    np.testing.assert_allclose(shares, np.outer(expected, np.ones(224)), atol=1e-9)
    assert content_rectangle(101, 100, grid, view).shape == grid


def test_patches_that_leave_a_rest_cover_378_of_384_pixels():
    view, grid = View(384, 378, crops=False), (27, 27)
    region = np.zeros((384, 768), bool)
    region[:, 14 * 2 : 14 * 4] = True  # a patch is 28 pixels wide, the image half as high
    np.testing.assert_allclose(region_shares(region, grid, view)[10:15, :3], [[0, 1, 0]] * 5)
    beyond = np.zeros((384, 768), bool)
    beyond[:, 2 * 378 :] = True
    assert not region_shares(beyond, grid, view).any()
    # The padding ends at pixel 96 of the model's, in the seventh patch before its centre.
    assert content_rectangle(384, 768, grid, view) == (7, 21, 0, 27)


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
