"""Geometry: the part of an image that a model sees, and maps placed on it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clip_grounding.geometry import (
    View,
    pad_to_square,
    seen_part,
    square_padding,
    upsample_to_image,
    upsample_to_square,
)
from clip_grounding.models.preprocessing import ImagePreprocessor

SIDES = [(3, 2), (2, 3), (11, 10), (31, 20), (20, 31), (32, 33), (33, 34), (40, 41), (1, 2), (9, 7)]

views = st.builds(View, st.just(32), st.sampled_from([28, 32]), st.booleans())


@pytest.mark.parametrize(("height", "width"), SIDES)
def test_the_part_that_is_seen_is_what_the_preprocessing_leaves(small, height, width):
    preprocess = ImagePreprocessor(small.checkpoint)
    assert preprocess.view == View(32, 32, crops=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    square = Image.fromarray(pad_to_square(pixels))
    rows, columns = seen_part(height, width, preprocess.view)
    resized = square.resize((columns.resized, rows.resized), Image.Resampling.BICUBIC)
    seen = np.asarray(resized)[rows.start :, columns.start :][: rows.extent, : columns.extent]
    expected = (seen.transpose(2, 0, 1) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(preprocess(pixels), expected, atol=1e-5)


def test_an_image_of_no_odd_difference_or_larger_than_the_model_is_seen_whole():
    grid = np.random.default_rng(0).random((7, 7), dtype=np.float32)
    for height, width in [(7, 7), (9, 7), (480, 640), (225, 230), (640, 479)]:
        image = upsample_to_image(grid, height, width, View(224, 224, crops=True))
        np.testing.assert_array_equal(image, upsample_to_image(grid, height, width))
    squashed = upsample_to_image(grid, 3, 2, View(224, 224, crops=False))
    np.testing.assert_array_equal(squashed, upsample_to_image(grid, 3, 2))
    assert seen_part(3, 2, View(224, 224, crops=True)) == ((336, 56, 224), (224, 0, 224))


def test_what_lies_behind_the_last_whole_patch_is_not_seen():
    view = View(384, 378, crops=False)
    grid = np.zeros((27, 27), np.float32)
    grid[12, 12] = 1  # pixels 168 to 181
    image = upsample_to_image(grid, 384, 384, view)
    np.testing.assert_allclose(np.average(np.arange(384), weights=image.sum(axis=0)), 174.5)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7), views)
def test_a_map_lies_on_what_was_seen_and_is_level_beyond(height, width, n, view):
    grid = np.random.default_rng(n).random((n, n), dtype=np.float32)
    sides = pad_to_square(np.zeros((height, width))).shape
    # Torch's own sampling: where each pixel's centre lies in what was seen, from -1 to 1.
    places = [
        2 * ((np.arange(side) + 0.5) * seen.resized / side - seen.start) / seen.extent - 1
        for side, seen in zip(sides, seen_part(height, width, view), strict=True)
    ]
    y, x = np.meshgrid(*places, indexing="ij")
    expected = torch.nn.functional.grid_sample(
        torch.from_numpy(grid).double()[None, None],
        torch.from_numpy(np.stack([x, y], axis=-1))[None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )[0, 0].numpy()
    square = upsample_to_square(grid, height, width, view)
    np.testing.assert_allclose(square, expected, atol=1e-6)
    rows, columns = square_padding(height, width)
    image = upsample_to_image(grid, height, width, view)
    np.testing.assert_array_equal(image, square[rows : rows + height, columns : columns + width])
