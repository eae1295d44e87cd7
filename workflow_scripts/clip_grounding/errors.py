"""The one exception for bad input, and one sentence on what a machine lacked.

Room, permission, memory, threads or open files: a message is all that a user sees.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_TOO_LITTLE_ROOM = 10 * 2**20

_MEMORY = (
    "cannot allocate memory",
    "can't allocate memory",
    "failed to map segment",
    "not enough memory",
    "out of memory",
    "bad_alloc",
)
_THREADS = ("start new thread", "launch worker thread", "resource temporarily unavailable")

_GO_ON = "and run again to go on where it ended"


class InputError(Exception):
    """Input that cannot be used.

    The message names the file, the record or key, and the remedy; a job that ends
    with it prints the message without a traceback.
    """


def describe_unwritable(path: Path, error: OSError) -> InputError:
    """Return the error for a file that cannot be written, with the free space of its folder."""
    reason = os.strerror(error.errno) if error.errno else error  # libraries add their own words
    return InputError(f"{path}: cannot be written ({reason}): {_remedy(path, error)}")


def describe_exhaustion(error: BaseException, outputs: Iterable[str] = ()) -> str | None:
    """Return a sentence on what the machine lacked, if that is why a job failed.

    Parameters
    ----------
    error : BaseException
        An error that nothing caught, with its causes.
    outputs : iterable of str
        The files that the job writes; many libraries do not say which one failed.

    Returns
    -------
    str or None
        None for any other error.
    """
    for cause in causes_of(error):
        if sentence := describe_memory(cause):
            return sentence
        if isinstance(cause, OSError) and cause.errno in (*_FULL, *_FORBIDDEN, errno.EFBIG):
            path = _unwritten(cause, outputs)
            if path is None:
                return None
            if cause.errno in (errno.EACCES, errno.EPERM):  # an input, too, can be forbidden
                return f"{path}: {os.strerror(cause.errno)}: allow it to be used, {_GO_ON}"
            return str(describe_unwritable(path, cause))
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            return f"too many open files: raise the limit (ulimit -n) or lower --cores, {_GO_ON}"
    return None


def describe_memory(error: BaseException) -> str | None:
    """Return a sentence on the lack of memory or threads, if that is what an error says."""
    if not isinstance(error, MemoryError | RuntimeError | OSError | ImportError):
        return None
    text = str(error)
    no_threads = any(part in text.lower() for part in _THREADS)
    is_short = isinstance(error, MemoryError) or any(part in text.lower() for part in _MEMORY)
    if not (no_threads or is_short):
        return None
    lacking = "no thread could be started" if no_threads else "too little memory"
    return (
        f"{lacking} ({(text.splitlines() or [type(error).__name__])[0]}): close other programs,"
        " raise the limits on memory and processes (ulimit -v, -u), or lower --cores or"
        f" batch_size, {_GO_ON}"
    )


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from or while handling, the last one first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _unwritten(error: OSError, outputs: Iterable[str]) -> Path | None:
    """Return the file that could not be written: the one named, or that of the fullest folder."""
    if isinstance(error.filename, str | bytes):
        return Path(os.fsdecode(error.filename))
    paths = [Path(path) for path in outputs]
    with_temporary = [*paths, Path(tempfile.gettempdir(), "temporary files")]
    if error.errno == errno.ENOSPC:
        return min(with_temporary, key=_free, default=None)
    return paths[0] if paths else None


def _free(path: Path) -> int:
    return shutil.disk_usage(_folder(path)).free


def _folder(path: Path) -> Path:
    """Return the nearest folder above a file that exists."""
    return next(parent for parent in path.absolute().parents if parent.exists())


def _remedy(path: Path, error: OSError) -> str:
    folder = _folder(path)
    if error.errno in _FULL:
        free = _free(path)
        # A file system can have room, and none for another file's name.
        inodes = "" if free < _TOO_LITTLE_ROOM else ", though perhaps none for another file"
        return f"make room in {folder}, where {free:,} bytes are free{inodes}, {_GO_ON}"
    if error.errno == errno.EFBIG:
        return f"raise the limit on the size of files (ulimit -f), {_GO_ON}"
    return f"check that {folder} can be written to, {_GO_ON}"
