"""Decode a picture that has an open format, 8 bits, no transparency and the size in its record."""

import io
import struct

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from clip_grounding.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
"""The formats that are opened, recognised by content, not by name. Pillow reads more, some of
which start other programs."""

MOST_PIXELS = 80_000_000
"""The largest number of pixels of a picture; more is taken for an attack on the memory."""

_EIGHT_BIT = {"1", "L", "P", "RGB", "CMYK", "YCbCr", "LA", "PA", "RGBA"}
_OPAQUE = 255

_ORIENTATION = 0x0112  # EXIF's tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns a picture of each EXIF orientation upright."""


class UndecodableError(Exception):
    """The bytes are not a picture, or only part of one."""


def decode_image(data: bytes, where: str) -> Image.Image:
    """Decode an image file, whatever its mode.

    Parameters
    ----------
    data : bytes
    where : str
        What messages call it.

    Raises
    ------
    UndecodableError
        It begins as an image does, but is damaged.
    InputError
        It is not in one of `FORMATS`, has too many pixels, several frames, or more than 8 bits
        per channel.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _refuse_unusable(image, where)
        image.load()
    except UnidentifiedImageError as error:
        raise InputError(
            f"{where}: not a JPEG, PNG, WebP, TIFF, BMP or GIF, whatever its name says: save it as"
            " one of them, or use the published archive"
        ) from error
    except Image.DecompressionBombError as error:
        raise _oversized(where) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UndecodableError(str(error)) from error
    return image


def decode_picture(data: bytes, where: str, height: int, width: int) -> Image.Image:
    """Decode a picture to upright 8-bit RGB of the size that its record says.

    A picture with an EXIF orientation is turned upright where its record is of the upright size,
    and left as it is stored where the record is of that size alone.

    Parameters
    ----------
    data : bytes
    where : str
        What messages call it.
    height, width : int
        The size in the picture's record.

    Raises
    ------
    UndecodableError, InputError
        As for `decode_image`; or it is of another size, or partly transparent.
    """
    image = decode_image(data, where)
    upright = _turn_upright(image)
    if upright.size == (width, height):
        image = upright
    elif image.size != (width, height):
        turned = upright.size != image.size
        found = f"{upright.width}×{upright.height}"
        stored = f" ({image.width}×{image.height} before its EXIF orientation)" if turned else ""
        raise InputError(
            f"{where}: is {found}{stored}, its record says {width}×{height}: use the picture that"
            " was annotated, or correct `height` and `width` of its record"
        )
    return _flatten(image, where)


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error):
        return image  # unreadable EXIF says nothing of the orientation
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _refuse_unusable(image: ImageFile.ImageFile, where: str) -> None:
    """Refuse, before decoding, what could be read in several ways or not without loss."""
    if image.width * image.height > MOST_PIXELS:
        raise _oversized(where)
    # A camera's second frame (MPO) is of the same picture.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise InputError(
            f"{where}: holds {getattr(image, 'n_frames', 1)} frames: save the one that was"
            " annotated as an image of its own"
        )
    depth = ""
    if image.mode in _EIGHT_BIT:
        if not _is_deep(image):
            return
        depth = " with 16 bits per channel"
    raise InputError(
        f"{where}: of mode {image.mode}{depth}, which Pillow would clip, cut or mix up on the way"
        " to 8-bit RGB: save it as 8-bit RGB or greyscale"
    )


def _is_deep(image: ImageFile.ImageFile) -> bool:
    """Return whether a picture is 16-bit RGB, of which Pillow would keep only the upper 8 bits."""
    if image.format not in ("PNG", "TIFF"):
        return False
    return any(";16" in str(tile.args) for tile in image.tile)


def _flatten(image: Image.Image, where: str) -> Image.Image:
    """Convert to RGB; transparency that hides something is refused, not dropped."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        hidden = np.count_nonzero(np.asarray(image.getchannel("A")) != _OPAQUE)
        if hidden:
            raise InputError(
                f"{where}: {hidden:,} of its pixels are transparent: lay it over the background"
                " on which it was annotated, and save it without transparency"
            )
    return image.convert("RGB")


def _oversized(where: str) -> InputError:
    return InputError(
        f"{where}: declares more than {MOST_PIXELS:,} pixels: this is not the published archive,"
        " use that"
    )
