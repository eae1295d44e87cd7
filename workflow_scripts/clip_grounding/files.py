"""Files that appear only when they are whole, and their digests."""

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to `path` if the block succeeds.

    The folder of `path` is made where missing. If the block raises, the temporary file
    is removed and `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        leftover.unlink(missing_ok=True)  # of a job that was killed: no two write the same file
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def digest_file(path: Path) -> str:
    """Give the sha256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(paths: list[Path], cache: Path) -> list[str]:
    """Give the sha256 of files, reading again only those whose size or time has changed.

    Parameters
    ----------
    paths : list of Path
    cache : Path
        A JSON file that remembers the digests; it is made where missing.

    Returns
    -------
    list of str
        In hexadecimal digits.
    """
    try:
        known = json.loads(cache.read_text())
    except (OSError, ValueError):
        known = {}
    digests = {}
    for path in paths:
        status = path.stat()
        key = json.dumps([str(path), status.st_size, status.st_mtime_ns])
        digests[key] = known.get(key) or digest_file(path)
    if not digests.keys() <= known.keys():
        with replacing(cache) as temporary:
            temporary.write_text(json.dumps({**known, **digests}, indent=1, sort_keys=True))
    return list(digests.values())
