"""Images and panoptic segmentations, read straight out of their zips.

A zip is never unpacked into files: a dataset has tens of thousands, and clusters charge for each.
"""

import io
import json
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from clip_grounding.errors import InputError

_IN_MEMORY = 64 << 20
"""Bytes of a nested zip that are held in memory; a larger one goes to a temporary file."""


class Archive:
    """A zip that is open for reading; whatever is wrong with it is an `InputError`.

    Use it as a context manager, or `close` it.

    Parameters
    ----------
    file : str, Path or binary file
    name : str
        What messages call it.
    """

    def __init__(self, file, name: str):
        self.name = name
        try:
            self._zip = zipfile.ZipFile(file)
        except FileNotFoundError:
            raise InputError(
                f"{name}: this archive is missing: run the workflow to fetch it"
            ) from None
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise InputError(
                f"{name}: truncated or no zip ({error}): delete the archive and rerun"
            ) from error

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def read(self, member: str) -> bytes:
        """Give a member's bytes, with its checksum checked."""
        out = io.BytesIO()
        self.copy(member, out)
        return out.getvalue()

    def copy(self, member: str, out) -> None:
        """Write a member's bytes to the binary file `out`, with its checksum checked."""
        try:
            with self._zip.open(member) as file:
                shutil.copyfileobj(file, out, 1 << 20)
        except KeyError:
            raise InputError(
                f"{self.name}: has no member {member}: check that this is the archive of the"
                " config's `split`"
            ) from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            # zipfile says "Bad CRC-32"; a damaged stream ends early or cannot be decompressed.
            kind = "CRC" if "CRC" in str(error) else str(error) or "truncated"
            raise self.damaged(member, kind) from error
        except (NotImplementedError, RuntimeError) as error:
            raise InputError(
                f"{self.name}: member {member} cannot be read ({error}): use the published archive"
            ) from error

    def image(self, member: str) -> Image.Image:
        """Decode a member that is an image."""
        data = self.read(member)
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise self.damaged(member, "no decodable image") from error
        return image

    def damaged(self, member: str, how: str) -> InputError:
        """Say that a member is damaged."""
        return InputError(
            f"{self.name}: member {member} is damaged ({how}): delete the archive and rerun"
        )


class Images:
    """The images of a split, in their zip as ``{split}/{file name}``."""

    def __init__(self, archive: Archive, split: str):
        self._archive, self._split = archive, split

    def __enter__(self) -> "Images":
        return self

    def __exit__(self, *_) -> None:
        self._archive.close()

    def read(self, file_name: str) -> bytes:
        """Give the encoded image as it is in the zip."""
        return self._archive.read(f"{self._split}/{file_name}")

    def image(self, file_name: str) -> Image.Image:
        """Decode an image to RGB."""
        return self._archive.image(f"{self._split}/{file_name}").convert("RGB")

    def pixels(self, file_name: str) -> np.ndarray:
        """Decode an image to RGB, uint8 of shape (height, width, 3)."""
        return np.asarray(self.image(file_name))


def open_images(path: str | Path, split: str) -> Images:
    """Open the zip of a split's images.

    Raises
    ------
    InputError
        It is no readable zip. The methods raise it for a member that is missing or damaged.
    """
    return Images(Archive(path, str(path)), split)


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
        return f"{self._archive.name}/annotations/panoptic_{self._split}.json"

    def annotations(self) -> dict:
        """Parse the JSON: COCO's ``images``, ``annotations`` and ``categories``."""
        data = self._archive.read(f"annotations/panoptic_{self._split}.json")
        return parse_json(data, self.json_name)

    def segments(self, image_id: int) -> np.ndarray:
        """Decode an image's PNG to segment ids, int32 of shape (height, width); 0 is void."""
        pngs = self._open_pngs()
        member = f"panoptic_{self._split}/{image_id:012d}.png"
        image = pngs.image(member)
        if image.mode != "RGB":
            raise InputError(
                f"{pngs.name}: member {member} is {image.mode}, panoptic PNGs are RGB: use the"
                " published archive"
            )
        return decode_panoptic(np.asarray(image))

    def _open_pngs(self) -> Archive:
        """Open the nested zip, copied in one pass where seeking in it is cheap."""
        if self._pngs is None:
            member = f"annotations/panoptic_{self._split}.zip"
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
    red, green, blue = np.moveaxis(rgb.astype(np.int32), -1, 0)
    return red + (green << 8) + (blue << 16)


def parse_json(data: bytes, name: str):
    """Parse the JSON file `name`; an error in it is an `InputError` with its line."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}: invalid JSON at line {error.lineno}, column {error.colno} ({error.msg}):"
            " delete the file and rerun"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name}: invalid JSON ({error}): delete the file and rerun") from error
