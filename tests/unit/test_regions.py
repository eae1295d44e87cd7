"""Regions: what run lengths say, and run lengths that say nothing."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from clip_grounding.errors import InputError
from clip_grounding.regions import decode_region


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_a_region_comes_back(region):
    counts = coco_mask.encode(np.asfortranarray(region, np.uint8))["counts"]
    found = decode_region(*region.shape, counts, "a region")
    np.testing.assert_array_equal(found, region)
    assert found.dtype == bool
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("height", "width"), [(10**9, 8), (10**12, 1), (0, 5), (-4, -5), (2**31, 2**31), (5, 4)]
)
def test_a_size_that_is_not_the_region_s_is_refused(height, width):
    counts = coco_mask.encode(np.asfortranarray(np.ones((3, 4), np.uint8)))["counts"]
    with pytest.raises(
        InputError, match=r"image 3, mask 1: not a readable region .*delete its file"
    ):
        decode_region(height, width, counts, "image 3, mask 1")


@given(st.binary(max_size=40) | st.none() | st.text(max_size=20), st.integers(1, 30))
def test_garbage_is_refused_or_of_the_right_size(counts, height):
    with suppress(InputError):
        assert decode_region(height, 4, counts, "image 3, mask 1").shape == (height, 4)


@given(arrays.arrays(bool, (9, 11)), st.data())
def test_a_damaged_byte_never_gives_a_region_of_another_size(region, data):
    counts = bytearray(coco_mask.encode(np.asfortranarray(region, np.uint8))["counts"])
    counts[data.draw(st.integers(0, len(counts) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        assert decode_region(9, 11, bytes(counts), "image 3, mask 1").shape == (9, 11)


def test_long_runs_come_back():
    region = np.zeros((3000, 2000), bool)
    region[5:2500, 3:1999] = True
    region[700, 700] = False
    counts = coco_mask.encode(np.asfortranarray(region, np.uint8))["counts"]
    np.testing.assert_array_equal(decode_region(3000, 2000, counts, "a region"), region)
