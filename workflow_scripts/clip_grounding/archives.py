"""Images and panoptic segmentations, read straight out of their zips."""

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from clip_grounding import layout
from clip_grounding.errors import InputError
from clip_grounding.zips import Archive, parse_json

_IN_MEMORY = 64 << 20
"""Bytes of a nested zip that are held in memory; a larger one goes to a temporary file."""

_MOST_PIXELS = 80_000_000


def read_image(archive: Archive, member: str) -> Image.Image:
    """Decode a member that is an image."""
    data = archive.read(member)
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > _MOST_PIXELS:
            raise _oversized(archive, member)
        image.load()
    except Image.DecompressionBombError as error:
        raise _oversized(archive, member) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise archive.damaged(member, "no decodable image") from error
    return image


def _oversized(archive: Archive, member: str) -> InputError:
    return InputError(
        f"{archive.name}: member {member} declares more than {_MOST_PIXELS:,} pixels: this is not"
        " the published archive, use that"
    )


class Images:
    """The images of a split, in one zip or several as ``{split}/{file name}``."""

    def __init__(self, archives: list[Archive], split: str):
        self._archives, self._split = archives, split

    def __enter__(self) -> "Images":
        return self

    def __exit__(self, *_) -> None:
        for archive in self._archives:
            archive.close()

    def read(self, file_name: str) -> bytes:
        """Give the encoded image as it is in the zip."""
        member = layout.image_member(self._split, file_name)
        return self._archive_of(member).read(member)

    def image(self, file_name: str) -> Image.Image:
        """Decode an image to RGB."""
        member = layout.image_member(self._split, file_name)
        return read_image(self._archive_of(member), member).convert("RGB")

    def pixels(self, file_name: str) -> np.ndarray:
        """Decode an image to RGB, uint8 of shape (height, width, 3)."""
        return np.asarray(self.image(file_name))

    def _archive_of(self, member: str) -> Archive:
        """The zip that has a member; the last one, which will say so, if none has."""
        having = (archive for archive in self._archives if archive.has(member))
        return next(having, self._archives[-1])


def open_images(paths: str | Path | list[str], split: str) -> Images:
    """Open the zip of a split's images, or the zips of its shards.

    Raises
    ------
    InputError
        One is no readable zip. The methods raise it for a member that is missing or damaged.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    # The zips of shards may be links to one file: it is opened once.
    files = {os.path.realpath(path): str(path) for path in reversed(paths)}
    return Images([Archive(name, name) for name in reversed(files.values())], split)


class Panoptic:
    """The panoptic annotations of a split: a JSON, and PNGs in a zip within the zip.

    Messages call a PNG a member of the nested zip, ``panoptic.zip/annotations/panoptic_….zip``.
    """

    def __init__(self, archive: Archive, split: str):
        self._archive, self._split = archive, split
        self._pngs: Archive | None = None

    def __enter__(self) -> "Panoptic":
        return self

    def __exit__(self, *_) -> None:
        if self._pngs is not None:
            self._pngs.close()
        self._archive.close()

    @property
    def json_name(self) -> str:
        """What messages call the JSON."""
        return f"{self._archive.name}/{layout.panoptic_json(self._split)}"

    def annotations(self) -> dict:
        """Parse the JSON: COCO's ``images``, ``annotations`` and ``categories``."""
        data = self._archive.read(layout.panoptic_json(self._split))
        return parse_json(data, self.json_name)

    def segments(self, image_id: int) -> np.ndarray:
        """Decode an image's PNG to segment ids, int32 of shape (height, width); 0 is void."""
        pngs = self._open_pngs()
        member = layout.png_member(self._split, image_id)
        image = read_image(pngs, member)
        if image.mode != "RGB":
            raise InputError(
                f"{pngs.name}: member {member} is {image.mode}, panoptic PNGs are RGB: use the"
                " published archive"
            )
        return decode_panoptic(np.asarray(image))

    def _open_pngs(self) -> Archive:
        """Open the nested zip, copied in one pass where seeking in it is cheap."""
        if self._pngs is None:
            member = layout.nested_zip(self._split)
            spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (lives as long)
            self._archive.copy(member, spool)
            self._pngs = Archive(spool, f"{self._archive.name}/{member}")
        return self._pngs


def open_panoptic(path: str | Path, split: str) -> Panoptic:
    """Open the panoptic archive for a split.

    Raises
    ------
    InputError
        It is no readable zip. The methods raise it for a member that is missing or damaged.
    """
    return Panoptic(Archive(path, str(path)), split)


def decode_panoptic(rgb: np.ndarray) -> np.ndarray:
    """Turn a panoptic PNG's pixels into segment ids, R + 256 G + 65536 B.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (height, width, 3)

    Returns
    -------
    ndarray of int32, shape (height, width)
    """
    ids = rgb[..., 2].astype(np.int32)
    for channel in (1, 0):
        ids <<= 8
        ids |= rgb[..., channel]
    return ids
