"""Pictures: open formats alone, 8 bits, opaque, upright and of their record's size."""

import io
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clip_grounding.datasets.pictures import UndecodableError, decode_picture
from clip_grounding.errors import InputError

HEIGHT, WIDTH = 12, 20
PIXELS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
ORIENTATION = 0x0112
# What a camera stores of an upright picture, by EXIF orientation, as the tag is defined.
STORED = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: PIXELS.transpose(1, 0, 2)[::-1],
    7: PIXELS.transpose(1, 0, 2)[::-1, ::-1],
    8: PIXELS.transpose(1, 0, 2)[:, ::-1],
}


def encode(image, kind="PNG", **options):
    image = Image.fromarray(np.ascontiguousarray(image)) if isinstance(image, np.ndarray) else image
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def with_orientation(orientation, kind="PNG"):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encode(STORED[orientation], kind, exif=exif)


def decode(data, height=HEIGHT, width=WIDTH):
    return np.asarray(decode_picture(data, "x.zip: member val2017/a.jpg", height, width))


def refusal(data, *size):
    with pytest.raises(InputError) as error:
        decode(data, *size)
    message = str(error.value)
    assert message.startswith("x.zip: member val2017/a.jpg: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_every_lossless_format_gives_its_pixels(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(decode(encode(PIXELS, kind, **options)), PIXELS)


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_a_flat_picture_of_a_lossy_format_is_read(kind):
    flat = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    np.testing.assert_allclose(decode(encode(flat, kind)), flat, atol=1)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM", "ICO", "TGA", "PCX", "JPEG2000"])
def test_no_other_format_is_opened_whatever_its_name(kind, monkeypatch):
    def start(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen.__init__", start)
    message = refusal(encode(PIXELS, kind))
    assert "not a JPEG, PNG, WebP, TIFF, BMP or GIF, whatever its name says: save it as" in message


def test_what_is_no_image_is_refused_and_half_of_one_is_damaged():
    assert "not a JPEG" in refusal(b"<html>")
    with pytest.raises(UndecodableError):
        decode(encode(PIXELS, "JPEG")[:-100])


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_turned_picture_is_read_upright_where_its_record_is_of_that_size(orientation, kind):
    data = with_orientation(orientation, kind)
    if kind == "WEBP":
        exif = Image.open(io.BytesIO(data)).getexif()
        data = encode(STORED[orientation], kind, exif=exif, lossless=True)
    np.testing.assert_array_equal(decode(data), PIXELS)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_record_of_the_stored_size_is_of_the_stored_pixels(orientation):
    found = decode(with_orientation(orientation), WIDTH, HEIGHT)
    np.testing.assert_array_equal(found, STORED[orientation])


def test_a_picture_of_another_size_than_its_record_is_refused_with_both():
    message = refusal(encode(PIXELS), WIDTH, HEIGHT)
    assert "is 20×12, its record says 12×20: use the picture that was annotated" in message
    message = refusal(with_orientation(6), 30, 30)
    assert "is 20×12 (12×20 before its EXIF orientation), its record says 30×30" in message


def test_exif_that_cannot_be_read_turns_nothing():
    data = encode(PIXELS, "PNG", exif=b"Exif\x00\x00no TIFF header at all")
    np.testing.assert_array_equal(decode(data), PIXELS)


@pytest.mark.parametrize(
    ("pixels", "kind", "mode"),
    [
        (np.full((HEIGHT, WIDTH), 40_000, np.uint16), "PNG", "I;16"),
        (np.full((HEIGHT, WIDTH), 40_000, np.uint16), "TIFF", "I;16"),
        (np.full((HEIGHT, WIDTH), 40_000, np.int32), "TIFF", "I"),
        (np.full((HEIGHT, WIDTH), 0.5, np.float32), "TIFF", "F"),
    ],
)
def test_more_than_eight_bits_are_refused_with_the_mode(pixels, kind, mode):
    message = refusal(encode(pixels, kind))
    assert f"of mode {mode}, which Pillow would clip" in message
    assert message.endswith("save it as 8-bit RGB or greyscale")


def test_sixteen_bits_of_colour_are_refused():
    def chunk(kind, body):
        return (
            len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        )

    size = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big")
    header = chunk(b"IHDR", size + bytes([16, 2, 0, 0, 0]))
    rows = (b"\x00" + bytes(WIDTH * 6)) * HEIGHT
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    message = refusal(b"\x89PNG\r\n\x1a\n" + header + body)
    assert "of mode RGB with 16 bits per channel, which Pillow would" in message


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_greyscale_palette_and_print_colours_are_converted(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    np.testing.assert_array_equal(decode(encode(image, "TIFF")), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_refused_and_an_opaque_alpha_changes_nothing(mode):
    image = Image.fromarray(PIXELS).convert(mode)
    expected = np.asarray(Image.fromarray(PIXELS).convert(mode[0] if mode == "LA" else "RGB"))
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    np.testing.assert_array_equal(decode(encode(image)), expected)
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[0, :3] = 254
    image.putalpha(Image.fromarray(alpha))
    message = refusal(encode(image))
    assert "3 of its pixels are transparent: lay it over the background" in message


@pytest.mark.parametrize(("mode", "colour"), [("P", 3), ("L", 7), ("RGB", (1, 2, 3))])
def test_a_transparent_colour_is_refused_where_it_occurs(mode, colour):
    pixels = np.zeros((HEIGHT, WIDTH, 3) if mode == "RGB" else (HEIGHT, WIDTH), np.uint8)
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette(bytes(range(12)))
    assert decode(encode(image, transparency=colour)).shape == (HEIGHT, WIDTH, 3)
    pixels[2, 5] = colour
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette(bytes(range(12)))
    assert "1 of its pixels are transparent" in refusal(encode(image, transparency=colour))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_several_frames_are_refused(kind):
    other = Image.fromarray(255 - PIXELS)
    data = encode(Image.fromarray(PIXELS), kind, save_all=True, append_images=[other])
    assert "holds 2 frames: save the one that was annotated" in refusal(data)


def test_the_first_picture_of_a_phone_is_read():
    flat = Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    data = encode(flat, "MPO", save_all=True, append_images=[flat.resize((8, 8))])
    np.testing.assert_allclose(decode(data), 90, atol=1)


@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
def test_damaged_bytes_end_in_one_of_the_two_errors_or_in_a_picture(noise, kind):
    data = bytearray(encode(PIXELS, kind))
    for position, byte in enumerate(noise):
        data[(position * 97 + byte) % len(data)] ^= byte
    with suppress(InputError, UndecodableError):
        assert decode(bytes(data)).shape == (HEIGHT, WIDTH, 3)
