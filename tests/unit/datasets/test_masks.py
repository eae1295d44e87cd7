"""Phrase masks: a region is the union of its segments; a PNG that does not fit is refused."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as coco_mask

from clip_grounding.datasets.masks import encode_regions, rasterize_masks
from clip_grounding.errors import InputError
from clip_grounding.tables import MASKS, VOID_MASK, read_table, write_table

IDS = np.array([[0, 7, 7], [300, 300, 70000]])  # void and three segments


def write_panoptic(path, images):
    """Write an archive of segment-id images by image id."""
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as archive:
        for image_id, ids in images.items():
            out = io.BytesIO()
            rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
            Image.fromarray(rgb.astype(np.uint8)).save(out, "PNG")
            archive.writestr(f"panoptic_val2017/{image_id:012d}.png", out.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("annotations/panoptic_val2017.zip", nested.getvalue())
    return path


def index_of(image_id, *regions, height=2, width=3):
    """The narratives and phrases that name regions of an image, each a list of segment ids."""
    narratives = pd.DataFrame(
        {
            "image_id": [image_id],
            "panoptic_file": f"{image_id:012d}.png",
            "height": height,
            "width": width,
        }
    )
    phrases = pd.DataFrame(
        {
            "image_id": [image_id] * len(regions),
            "mask": range(len(regions)),
            "segment_ids": list(regions),
        }
    )
    return narratives, phrases


def decode(row):
    return coco_mask.decode({"size": [row.height, row.width], "counts": row.counts})


def test_a_region_is_the_union_of_its_segments(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {39: IDS})
    (frame,) = rasterize_masks(*index_of(39, [7], [70000, 7]), path, "val2017")
    void, single, union = frame.itertuples()
    np.testing.assert_array_equal(decode(void), IDS == 0)
    np.testing.assert_array_equal(decode(single), IDS == 7)
    np.testing.assert_array_equal(decode(union), (IDS == 7) | (IDS == 70000))
    assert list(frame["mask"]) == [VOID_MASK, 0, 1]
    assert list(frame["segment_ids"]) == [[], [7], [70000, 7]]
    assert list(frame["area"]) == [1, 2, 3]


def test_an_image_without_void_pixels_has_an_empty_void_row(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {39: np.full((2, 3), 7)})
    (frame,) = rasterize_masks(*index_of(39, [7]), path, "val2017")
    assert list(frame["area"]) == [0, 6]


def test_images_come_in_id_order_with_each_region_once(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {39: IDS, 200: IDS})
    parts = [index_of(200, [300], [7]), index_of(39, [70000]), index_of(200, [300])]
    narratives, phrases = (pd.concat(tables) for tables in zip(*parts, strict=True))
    frames = rasterize_masks(narratives, phrases, path, "val2017")
    assert [list(frame[["image_id", "mask"]].itertuples(index=False)) for frame in frames] == [
        [(39, -1), (39, 0)],
        [(200, -1), (200, 0), (200, 1)],
    ]


def test_the_table_reads_back_as_it_was_written(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {39: IDS})
    frames = rasterize_masks(*index_of(39, [7]), path, "val2017")
    write_table(tmp_path / "masks.parquet", frames, MASKS, {})
    row = read_table(tmp_path / "masks.parquet").iloc[1]
    np.testing.assert_array_equal(decode(row), IDS == 7)


def test_a_shard_without_phrases_is_an_empty_table(tmp_path):
    narratives, phrases = index_of(39)
    frames = rasterize_masks(narratives, phrases, tmp_path / "unread.zip", "val2017")
    write_table(tmp_path / "masks.parquet", frames, MASKS, {})
    table = read_table(tmp_path / "masks.parquet")
    assert table.empty
    assert list(table.columns) == MASKS.names


def test_a_png_of_another_size_than_its_record_is_refused(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {39: IDS})
    with pytest.raises(InputError, match=r"image 39 .* is 3×2, its record says 3×4"):
        list(rasterize_masks(*index_of(39, [7], height=4), path, "val2017"))


def test_a_segment_that_the_png_lacks_is_refused(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {39: IDS})
    with pytest.raises(InputError, match=r"image 39 .* has no pixel of segment 8,"):
        list(rasterize_masks(*index_of(39, [7, 8]), path, "val2017"))


label_images = arrays.arrays(
    np.int32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 1, 2, 255, 256, 70000, 2**24 - 1]),
)


@given(label_images, st.data())
def test_regions_equal_a_comparison_per_segment(ids, data):
    present = [int(segment) for segment in np.unique(ids)]
    region = st.lists(st.sampled_from(present), min_size=1, unique=True)
    regions = data.draw(st.lists(region, min_size=1, max_size=5))
    counts, areas = encode_regions(ids, regions, "ids")
    for region, code, area in zip(regions, counts, areas, strict=True):
        expected = np.zeros(ids.shape, bool)
        for segment in region:
            expected |= ids == segment
        decoded = coco_mask.decode({"size": list(ids.shape), "counts": code})
        np.testing.assert_array_equal(decoded, expected)
        assert area == expected.sum()
