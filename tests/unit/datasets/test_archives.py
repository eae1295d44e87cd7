"""Archives: members come straight from the zips, and damage is named with its member."""

import io
import json
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from clip_grounding.datasets.archives import decode_panoptic, open_images, open_panoptic
from clip_grounding.errors import InputError

PNG = "panoptic_val2017/000000000139.png"


def encode(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def make_zip(members, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def write_panoptic(path, pngs, annotations=b"{}", compression=zipfile.ZIP_DEFLATED):
    nested = make_zip({"__MACOSX/panoptic_val2017/._000000000139.png": b"junk", **pngs})
    members = {
        "annotations/panoptic_val2017.json": annotations,
        "annotations/panoptic_val2017.zip": nested,
    }
    path.write_bytes(make_zip(members, compression))
    return path


def flip_byte(path, inside):
    """Damage the stored member whose bytes contain `inside`."""
    data = path.read_bytes()
    position = data.index(inside) + len(inside) // 2
    path.write_bytes(data[:position] + bytes([data[position] ^ 255]) + data[position + 1 :])


def test_an_image_is_read_as_rgb(tmp_path):
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    path = tmp_path / "images.zip"
    path.write_bytes(
        make_zip({"val2017/a.png": encode(pixels), "val2017/grey.png": encode(pixels[..., 0])})
    )
    with open_images(path, "val2017") as images:
        np.testing.assert_array_equal(images.pixels("a.png", 4, 6), pixels)
        grey = images.pixels("grey.png", 4, 6)
    np.testing.assert_array_equal(grey, np.repeat(pixels[..., :1], 3, axis=2))


def test_a_missing_member_is_named(tmp_path):
    path = tmp_path / "images.zip"
    path.write_bytes(make_zip({"val2017/a.png": b""}))
    with open_images(path, "val2017") as images, pytest.raises(InputError) as refusal:
        images.pixels("b.png", 1, 1)
    assert "images.zip: has no member val2017/b.png: check" in str(refusal.value)


def test_a_damaged_member_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "val2017.zip"
    body = bytes(range(256)) * 8
    path.write_bytes(make_zip({"val2017/000000000139.jpg": body}, zipfile.ZIP_STORED))
    flip_byte(path, body)
    with open_images(path, "val2017") as images, pytest.raises(InputError) as refusal:
        images.pixels("000000000139.jpg", 1, 1)
    assert str(refusal.value) == (
        f"{path}: member val2017/000000000139.jpg is damaged (CRC): delete the archive and rerun"
    )


def test_a_damaged_compressed_member_is_named(tmp_path):
    path = tmp_path / "val2017.zip"
    body = np.random.default_rng(0).integers(0, 9, 4000, np.uint8).tobytes()
    path.write_bytes(make_zip({"val2017/a.jpg": body}))
    data = bytearray(path.read_bytes())
    data[200:220] = b"\xff" * 20
    path.write_bytes(data)
    with (
        open_images(path, "val2017") as images,
        pytest.raises(InputError, match=r"a.jpg is damaged"),
    ):
        images.pixels("a.jpg", 1, 1)


def test_an_undecodable_image_is_named(tmp_path):
    path = tmp_path / "val2017.zip"
    whole = encode(np.zeros((40, 40, 3), np.uint8), "JPEG")
    path.write_bytes(make_zip({"val2017/half.jpg": whole[:-200]}))
    with (
        open_images(path, "val2017") as images,
        pytest.raises(InputError, match=r"val2017/half\.jpg is damaged"),
    ):
        images.pixels("half.jpg", 40, 40)


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_a_truncated_archive_is_refused(tmp_path, kept):
    path = tmp_path / "val2017.zip"
    data = make_zip({"val2017/a.jpg": bytes(5000)})
    path.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"truncated or not a zip .* delete the archive and rerun"):
        open_images(path, "val2017")


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.zip: this archive is missing"):
        open_images(tmp_path / "absent.zip", "val2017")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_nested_zip_is_read_in_place(tmp_path, compression):
    rgb = np.array([[[0, 0, 0], [255, 0, 0], [1, 2, 3], [255, 255, 255]]], np.uint8)
    content = {"images": [], "annotations": [], "categories": []}
    path = write_panoptic(
        tmp_path / "p.zip", {PNG: encode(rgb)}, json.dumps(content).encode(), compression
    )
    with open_panoptic(path, "val2017") as panoptic:
        assert panoptic.annotations() == content
        ids = panoptic.segments("000000000139.png")
        np.testing.assert_array_equal(panoptic.segments("000000000139.png"), ids)
    np.testing.assert_array_equal(ids, [[0, 255, 1 + 2 * 256 + 3 * 65536, 2**24 - 1]])
    assert list(tmp_path.iterdir()) == [path]


def test_segment_ids_do_not_overflow():
    assert decode_panoptic(np.full((1, 1, 3), 255, np.uint8)) == 16777215


def test_a_missing_png_is_named_in_the_nested_zip(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {})
    with open_panoptic(path, "val2017") as panoptic, pytest.raises(InputError) as refusal:
        panoptic.segments("000000000139.png")
    assert f"p.zip/annotations/panoptic_val2017.zip: has no member {PNG}" in str(refusal.value)


@pytest.mark.parametrize("shape", [(3, 3), (3, 3, 4)])
def test_a_png_that_is_not_rgb_is_refused(tmp_path, shape):
    path = write_panoptic(tmp_path / "p.zip", {PNG: encode(np.zeros(shape, np.uint8))})
    with (
        open_panoptic(path, "val2017") as panoptic,
        pytest.raises(InputError, match="PNGs are RGB"),
    ):
        panoptic.segments("000000000139.png")


def test_a_nested_zip_that_is_none_is_refused(tmp_path):
    path = tmp_path / "p.zip"
    path.write_bytes(make_zip({"annotations/panoptic_val2017.zip": b"half"}))
    with open_panoptic(path, "val2017") as panoptic, pytest.raises(InputError, match="not a zip"):
        panoptic.segments("000000000139.png")


def test_the_archive_of_another_split_is_refused(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {})
    with open_panoptic(path, "train2017") as panoptic, pytest.raises(InputError, match="`split`"):
        panoptic.annotations()


def test_invalid_json_is_refused_with_its_line(tmp_path):
    path = write_panoptic(tmp_path / "p.zip", {}, b'{"images": [\n  1,\n  oops]}')
    with open_panoptic(path, "val2017") as panoptic, pytest.raises(InputError) as refusal:
        panoptic.annotations()
    assert "panoptic_val2017.json: invalid JSON at line 3" in str(refusal.value)


def declare_size(path, size):
    """Have the zip's directory declare another unpacked size of its first member."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    path.write_bytes(bytes(data))


def test_a_member_that_declares_a_huge_size_is_refused(tmp_path):
    path = write_panoptic(tmp_path / "panoptic.zip", {}, b"{}" + b" " * 1000)
    declare_size(path, 4_000_000_000)
    with open_panoptic(path, "val2017") as archive, pytest.raises(InputError) as refusal:
        archive.annotations()
    assert "would unpack" in str(refusal.value)
    assert "to 4,000,000,000: this is not the published archive" in str(refusal.value)


def test_a_png_that_declares_billions_of_pixels_is_refused(tmp_path):
    header = bytearray(encode(np.zeros((2, 2, 3), np.uint8)))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    path = write_panoptic(tmp_path / "panoptic.zip", {PNG: bytes(header)})
    with (
        open_panoptic(path, "val2017") as archive,
        pytest.raises(InputError, match="declares more than 80,000,000 pixels"),
    ):
        archive.segments("000000000139.png")


@pytest.mark.parametrize("name", ["/etc/passwd", "../escape", "a/../../b", "..\\b", "C:\\b"])
def test_an_archive_with_names_that_point_outside_is_refused(tmp_path, name):
    path = tmp_path / "images.zip"
    path.write_bytes(make_zip({"val2017/a.png": b"", name: b"x"}))
    with pytest.raises(InputError, match="points outside of the archive"):
        open_images(path, "val2017")
    assert [entry.name for entry in tmp_path.iterdir()] == ["images.zip"]


def test_images_are_found_in_the_zips_of_several_shards(tmp_path):
    zips = []
    for number in range(2):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(
            make_zip({f"val2017/{number}.png": encode(np.full((2, 2, 3), number, np.uint8))})
        )
        zips.append(str(path))
    link = tmp_path / "link.zip"
    link.symlink_to(zips[1])
    with open_images([*zips, str(link)], "val2017") as images:
        assert [images.pixels(f"{number}.png", 2, 2).max() for number in range(2)] == [0, 1]
        with pytest.raises(InputError, match=r"has no member val2017/2\.png"):
            images.pixels("2.png", 2, 2)
