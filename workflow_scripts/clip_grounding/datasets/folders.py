"""Read the images of an extracted folder where they are.

A list names them with their digests: it is what jobs depend on, and no picture that has changed
since then is taken for the one listed. A link beside it leads to the folder, so that the list
says nothing of where that is.
"""

import hashlib
import json
import os
from pathlib import Path

from clip_grounding.downloads.zips import parse_json
from clip_grounding.errors import InputError
from clip_grounding.files import digest_files, replacing


def digest_images(folder: str | Path, split: str, cache: str | Path) -> dict[str, str]:
    """Compute the digests of a folder's files.

    Parameters
    ----------
    folder : str or Path
        Holds the images, or the folder `split` that holds them.
    split : str
    cache : str or Path
        A JSON file that remembers digests, see `files.digest_files`.

    Returns
    -------
    dict of str to str
        ``{split}/{path below the folder}`` of each file that is not hidden to its SHA-256.

    Raises
    ------
    InputError
        The folder, or a file in it, cannot be read.
    """
    root = image_root(folder, split)
    try:
        files = sorted(_files_below(root))
        digests = digest_files(files, Path(cache))
    except OSError as error:
        raise _unreadable(error.filename, error) from error
    members = (f"{split}/{file.relative_to(root).as_posix()}" for file in files)
    return dict(zip(members, digests, strict=True))


def image_root(folder: str | Path, split: str) -> Path:
    """Return the folder that holds the images: `split` below the given one, or that itself."""
    folder = Path(folder).absolute()
    return folder / split if (folder / split).is_dir() else folder


def _files_below(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if not entry.name.startswith(".")]
    files = [Path(entry.path) for entry in found if entry.is_file()]
    folders = [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    return files + [file for below in folders for file in _files_below(below)]


def write_list(path: str | Path, digests: dict[str, str]) -> None:
    """Write the list of a folder's images, the result of `digest_images`."""
    with replacing(path) as temporary:
        listed = json.dumps({"images": digests}, indent=0, sort_keys=True)
        temporary.write_text(listed + "\n", encoding="utf-8")


def link_folder(path: str | Path, root: Path) -> None:
    """Point the link beside the list `path` to the folder that holds the images."""
    link = _link_beside(Path(path))
    if not link.is_symlink() or Path(os.readlink(link)) != root:
        with replacing(link) as temporary:
            temporary.symlink_to(root)


def _link_beside(path: Path) -> Path:
    return path.with_suffix(".folder")


class ImageFolder:
    """The images of a list, read as those of an `Archive` are.

    Parameters
    ----------
    path : str
        The list, with the link to the folder beside it.

    Raises
    ------
    InputError
        The list is not readable.
    """

    def __init__(self, path: str):
        self._path, link = path, _link_beside(Path(path))
        try:
            self._images = dict(parse_json(Path(path).read_bytes(), path)["images"])
            self._root = Path(os.readlink(link))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: not a readable list of images ({error}): delete it and rerun"
            ) from error
        self.name = str(self._root)

    def close(self) -> None:
        """Do nothing: no file is open between two images."""

    def has(self, member: str) -> bool:
        """Return whether an image is listed."""
        return member in self._images

    def read(self, member: str) -> bytes:
        """Read an image's file, and compare it with the list."""
        if member not in self._images:
            raise InputError(
                f"{self.name}: has no image {member.partition('/')[2]}: put it there, or correct"
                " the `url` of the dataset's images in the config"
            )
        file = self._file(member)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise _unreadable(file, error) from error
        if hashlib.sha256(data).hexdigest() != self._images[member]:
            raise InputError(
                f"{file}: has changed since {self._path} was made: rerun, which lists it anew"
            )
        return data

    def damaged(self, member: str, how: str) -> InputError:
        """Build the error that names an image that is damaged."""
        return InputError(
            f"{self._file(member)}: damaged ({how}): put the right image there and rerun"
        )

    def _file(self, member: str) -> Path:
        return self._root / member.partition("/")[2]


def _unreadable(file, error: OSError) -> InputError:
    return InputError(
        f"{file}: not readable ({error.strerror}): put the image there, or correct the `url` of the"
        " dataset's images in the config"
    )
