"""Read images and panoptic segmentations straight out of their zips."""

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from clip_grounding.datasets import layout
from clip_grounding.datasets.folders import ImageFolder
from clip_grounding.datasets.pictures import UndecodableError, decode_image, decode_picture
from clip_grounding.downloads.zips import Archive, parse_json
from clip_grounding.errors import InputError

_IN_MEMORY = 64 << 20
"""Bytes of a nested zip that are held in memory; a larger one goes to a temporary file."""


class Images:
    """The images of a split: in one zip or several as ``{split}/{file name}``, or in a folder."""

    def __init__(self, sources: list[Archive | ImageFolder], split: str):
        self._sources, self._split = sources, split

    def __enter__(self) -> "Images":
        return self

    def __exit__(self, *_) -> None:
        for source in self._sources:
            source.close()

    def image(self, file_name: str, height: int, width: int) -> Image.Image:
        """Decode an image to upright RGB.

        Parameters
        ----------
        file_name : str
        height, width : int
            The size that its record says, with which the image is compared.
        """
        member = layout.image_member(self._split, file_name)
        # If none has it, the last one raises the error.
        having = (source for source in self._sources if source.has(member))
        source = next(having, self._sources[-1])
        where = f"{source.name}: member {member}"
        try:
            return decode_picture(source.read(member), where, height, width)
        except UndecodableError as error:
            raise source.damaged(member, "no decodable image") from error

    def pixels(self, file_name: str, height: int, width: int) -> np.ndarray:
        """Decode an image to upright RGB, uint8 of shape (height, width, 3)."""
        return np.asarray(self.image(file_name, height, width))


def open_images(paths: str | Path | list[str] | list[str | Path], split: str) -> Images:
    """Open a split's images: one zip, the zips of its shards, or the list of a folder's images.

    Raises
    ------
    InputError
        A file is not readable. The methods raise it for an image that is missing or damaged.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    # The zips of shards may be links to one file: it is opened once.
    files = {os.path.realpath(path): str(path) for path in reversed(paths)}
    return Images([_open_source(name) for name in reversed(files.values())], split)


def _open_source(name: str) -> Archive | ImageFolder:
    return ImageFolder(name) if name.endswith(".json") else Archive(name, name)


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
        """The name of the JSON in messages."""
        return f"{self._archive.name}/{layout.panoptic_json(self._split)}"

    def annotations(self) -> dict:
        """Parse the JSON: COCO's ``images``, ``annotations`` and ``categories``."""
        data = self._archive.read(layout.panoptic_json(self._split))
        return parse_json(data, self.json_name)

    def segments(self, file_name: str) -> np.ndarray:
        """Decode the PNG of this name, the ``file_name`` of an image's annotation.

        Returns
        -------
        ndarray of int32, shape (height, width)
            Segment ids; 0 is void.
        """
        pngs = self._open_pngs()
        member = layout.png_member(self._split, file_name)
        where = f"{pngs.name}: member {member}"
        try:
            image = decode_image(pngs.read(member), where)
        except UndecodableError as error:
            raise pngs.damaged(member, "no decodable image") from error
        if (image.format, image.mode) != ("PNG", "RGB"):
            raise InputError(
                f"{where} is a {image.format} of mode {image.mode}, panoptic PNGs are RGB: use the"
                " published archive"
            )
        return decode_panoptic(np.asarray(image))

    def _open_pngs(self) -> Archive:
        """Open the nested zip, copied in one pass where seeking in it is cheap."""
        if self._pngs is None:
            member = layout.nested_zip(self._split)
            spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed with the archive)
            self._archive.copy(member, spool)
            self._pngs = Archive(spool, f"{self._archive.name}/{member}")
        return self._pngs


def open_panoptic(path: str | Path, split: str) -> Panoptic:
    """Open the panoptic archive for a split.

    Raises
    ------
    InputError
        It is not a readable zip. The methods raise it for a member that is missing or damaged.
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
