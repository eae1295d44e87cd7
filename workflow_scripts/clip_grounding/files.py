"""Write files that appear only when complete, and compute digests."""

import glob
import hashlib
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STALE = 24 * 3600
"""Seconds without a write after which a temporary file counts as abandoned."""

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` if the block succeeds.

    The folder of `path` is created if missing. If the block raises, the temporary file
    is removed and `path` stays as it was. The content is on the disk before it has its final
    name, so that a power cut leaves no file that is there but empty.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        if _is_abandoned(leftover):
            leftover.unlink(missing_ok=True)
    unique = f"{_HOST}-{os.getpid()}-{secrets.token_hex(3)}"
    temporary = path.with_name(f".{path.name}.{unique}.part")
    try:
        yield temporary
        if temporary.is_file() and not temporary.is_symlink():
            sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some file systems cannot do it for folders
            raise
    finally:
        os.close(descriptor)


def _is_abandoned(temporary: Path) -> bool:
    """Return whether the process that wrote a temporary file of `replacing` is gone."""
    try:
        age = time.time() - temporary.lstat().st_mtime
    except FileNotFoundError:
        return False  # just renamed or removed by its process
    made_by = re.search(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{6}\.part$", temporary.name)
    if made_by is None or made_by[1] != _HOST:
        return age > _STALE  # of another machine, whose processes are not visible
    try:
        os.kill(int(made_by[2]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass  # another user's process, or an invalid number
    return age > _STALE


def drop_dangling_links(folder: Path) -> None:
    """Remove dangling links below a folder, at which Snakemake would stop.

    Only links are removed, and none whose target exists.
    """
    for path in [*folder.glob("*.*"), *folder.glob("images/*.zip")]:
        if path.is_symlink() and not path.exists():
            path.unlink(missing_ok=True)


def digest_file(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(paths: list[Path], cache: Path) -> list[str]:
    """Return the sha256 of files, reading again only those whose size or a time has changed.

    Parameters
    ----------
    paths : list of Path
    cache : Path
        A JSON file that remembers the digests; it is made where missing, and anew where it holds
        anything else.

    Returns
    -------
    list of str
        In hexadecimal digits.
    """
    known = _read_digests(cache)
    digests = {}
    for path in paths:
        status = path.stat()
        # The change time reveals a file that was replaced by one of the same size and date.
        times = [status.st_mtime_ns, status.st_ctime_ns]
        key = json.dumps([str(path), status.st_size, *times])
        digests[key] = known.get(key) or digest_file(path)
    if not digests.keys() <= known.keys():
        with replacing(cache) as temporary:
            temporary.write_text(json.dumps({**known, **digests}, indent=1, sort_keys=True))
    return list(digests.values())


def _read_digests(cache: Path) -> dict[str, str]:
    known = None
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(cache.read_text())
    if not isinstance(known, dict):
        return {}
    return {
        key: digest
        for key, digest in known.items()
        if isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)
    }
