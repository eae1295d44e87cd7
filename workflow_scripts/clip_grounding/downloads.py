"""One file from a URL or a path to its place: complete and as expected, or not there at all.

Everything is checked while it streams to a temporary name, which the last step renames.
"""

import hashlib
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname, urlopen

from tqdm import tqdm

from clip_grounding.errors import InputError
from clip_grounding.files import replacing

TIMEOUT = 60
"""Seconds without a byte after which a server counts as gone."""

_CHUNK = 1 << 20


def download(
    url: str, path: str | Path, size: int | None = None, sha256: str | None = None
) -> None:
    """Bring the file at `url` to `path`; a file of this machine is linked, not copied.

    Parameters
    ----------
    url : str
        ``http(s)://``, ``file://``, or a path, relative to the working directory.
    path : str or Path
        The file to make; it appears only when it is complete and as expected.
    size : int, optional
        Its size in bytes.
    sha256 : str, optional
        Its SHA-256 checksum in lowercase hexadecimal digits.

    Raises
    ------
    InputError
        The file cannot be had, or is not the one expected. `path` stays as it was.
    """
    source = _local_path(url)
    try:
        with replacing(path) as temporary:
            if source is None:
                with temporary.open("wb") as out:
                    _check(_copy(_fetch(url, size), out), size, sha256)
            else:
                _check(_read(source), size, sha256)
                temporary.symlink_to(source)
    except _FileError as problem:
        if source is None:
            remedy = (
                "run again, or fetch the file by hand and, in the config, give its path as the"
                f" url of {path}"
            )
        else:
            remedy = f"put the right file there, or correct the url of {path} in the config"
        raise InputError(f"{source or url}: {problem}: {remedy}") from problem


class _FileError(Exception):
    """What is wrong with a file, without its name and the remedy."""


def _local_path(url: str) -> Path | None:
    """Give the absolute path of a file of this machine, None for a server's."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return None
    path = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(url).expanduser()
    return path.absolute()


def _fetch(url: str, size: int | None) -> Iterator[bytes]:
    """Stream the body that a server sends, with a progress bar."""
    request = Request(url, headers={"User-Agent": "clip-grounding"})
    name = urlsplit(url).path.rpartition("/")[2]
    try:
        with urlopen(request, timeout=TIMEOUT) as response:
            if response.status != 200:
                raise _FileError(f"the server answered {response.status}, 200 was expected")
            total = response.length
            if None not in (total, size) and total != size:
                raise _FileError(f"the server has {total:,} bytes, {size:,} were expected")
            with tqdm(
                total=total or size, desc=name, unit="B", unit_scale=True, mininterval=1
            ) as progress:
                received = 0
                while chunk := response.read(_CHUNK):
                    received += len(chunk)
                    progress.update(len(chunk))
                    yield chunk
    except HTTPError as error:
        raise _FileError(f"the server answered {error.code} ({error.reason})") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a malformed URL
        raise _FileError(f"the download failed ({error})") from error
    if total is not None and received != total:
        raise _FileError(f"the connection ended after {received:,} of {total:,} bytes")


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _FileError(f"not readable ({error.strerror})") from error


def _copy(chunks: Iterable[bytes], out) -> Iterator[bytes]:
    for chunk in chunks:
        out.write(chunk)
        yield chunk


def _check(chunks: Iterable[bytes], size: int | None, sha256: str | None) -> None:
    """Consume a file's bytes and compare them with what is expected."""
    received, digest = 0, hashlib.sha256()
    for chunk in chunks:
        received += len(chunk)
        if sha256 is not None:
            digest.update(chunk)
        if size is not None and received > size:
            raise _FileError(f"more than the expected {size:,} bytes")
    if received == 0:
        raise _FileError("empty")
    if size is not None and received != size:
        raise _FileError(f"{received:,} bytes, {size:,} were expected")
    if sha256 is not None and digest.hexdigest() != sha256:
        raise _FileError(f"its sha256 is {digest.hexdigest()}, {sha256} was expected")
