"""Images of an extracted folder, read where they are.

A list names a shard's images with their digests: it is what jobs depend on, and no picture that
has changed since is taken for the one that was listed.
"""

import hashlib
import json
import os
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.files import replacing
from clip_grounding.zips import DamagedError, parse_json


def describe_folder(folder: str | Path) -> str:
    """Compute a digest of the names, sizes and times of a folder's files; none of them is read."""
    digest = hashlib.sha256()
    for path in sorted(_files_below(Path(folder).expanduser())):
        status = os.stat(path)
        line = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files_below(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        found = list(entries)
    files = [entry.path for entry in found if entry.is_file()]
    return files + [
        path for entry in found if entry.is_dir() for path in _files_below(Path(entry.path))
    ]


def list_images(folder: str | Path, split: str, members: list[str], path: str | Path) -> None:
    """Write the list of a shard's images that lie in a folder.

    Parameters
    ----------
    folder : str or Path
        Holds the images, or the folder `split` that holds them.
    split : str
    members : list of str
        ``{split}/{file name}`` of each image.
    path : str or Path
        The list to write.

    Raises
    ------
    InputError
        An image is missing or cannot be read.
    """
    folder = Path(folder).expanduser().absolute()
    root = folder / split if (folder / split).is_dir() else folder
    images = {}
    for member in members:
        file = root / member.removeprefix(f"{split}/")
        images[member] = [str(file), hashlib.sha256(_read(file)).hexdigest()]
    with replacing(path) as temporary:
        listed = json.dumps({"folder": str(folder), "images": images}, indent=0)
        temporary.write_text(listed, encoding="utf-8")


class ImageFolder:
    """The images of a list that `list_images` has written, read as those of an `Archive` are.

    Raises
    ------
    InputError
        The list is not readable.
    """

    def __init__(self, path: str):
        self._path = path
        try:
            content = parse_json(Path(path).read_bytes(), path)
            self.name, self._images = content["folder"], dict(content["images"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: no readable list of images ({error}): delete it and rerun"
            ) from error

    def close(self) -> None:
        """Do nothing: no file is open between two images."""

    def has(self, member: str) -> bool:
        """Return whether an image is listed."""
        return member in self._images

    def read(self, member: str) -> bytes:
        """Read an image's file, and compare it with the list."""
        if member not in self._images:
            raise InputError(f"{self._path}: does not list {member}: delete the list and rerun")
        file, digest = self._images[member]
        data = _read(Path(file))
        if hashlib.sha256(data).hexdigest() != digest:
            raise InputError(
                f"{file}: has changed since {self._path} was made: rerun, which lists it anew"
            )
        return data

    def damaged(self, member: str, how: str) -> DamagedError:
        """Build the error that names an image that is damaged."""
        file, remedy = self._images[member][0], "put the right image there and rerun"
        return DamagedError(file, f"damaged ({how})", remedy, member)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file}: not readable ({error.strerror}): put the image there, or correct the `url` of"
            " the dataset's images in the config"
        ) from error
