"""Check before a run is planned that its surroundings let it work.

What is missed here ends later in a traceback of Snakemake's or of a library's.
"""

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from clip_grounding.errors import InputError, describe_unwritable

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

_WRITTEN = (".", ".snakemake", "data", "logs", "results", "benchmarks")
_PROBE = bytes(64 * 1024)

_LEAST_ADDRESSES = 4 * 2**30
"""Bytes of address space; with less, OpenBLAS asks for memory for ever while it is imported."""


def check_surroundings(repository: Path) -> None:
    """Check the locale, the repository's path, and the folders that every run writes to.

    Parameters
    ----------
    repository : Path
        The folder of the Snakefile.

    Raises
    ------
    InputError
        The message has a line for every problem, with its remedy.
    """
    problems = list(_find_problems(repository))
    if problems:
        raise InputError("\n".join(problems))


def _find_problems(repository: Path) -> Iterator[str]:
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        yield (
            f"Python reads and writes paths as {encoding} here, which stores names of files"
            " differently: unset PYTHONUTF8, or set LC_ALL=C.UTF-8"
        )
    if set("{}") & set(str(repository)):
        yield (
            f"{repository}: Snakemake takes braces in this path for wildcards: rename the folder"
            " (the working folder may have them: --directory)"
        )
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESSES:
        yield (
            f"a process may have only {limit / 2**30:.1f} GB of addresses here (ulimit -v), with"
            f" which libraries hang: allow at least {_LEAST_ADDRESSES // 2**30} GB, or no limit"
        )
    given = os.environ.get("TMPDIR")
    if given and not Path(given).is_dir():
        yield f"{given}: TMPDIR names this folder, which does not exist: make it or unset TMPDIR"
    for folder in dict.fromkeys([given or tempfile.gettempdir(), *_WRITTEN]):
        if Path(folder).is_dir() and (error := _find_write_error(folder)):
            what = f"{folder}/temporary files" if folder == given else f"{folder}/files of this run"
            yield str(describe_unwritable(Path(what), error))


def _find_write_error(folder: str) -> OSError | None:
    """Return why nothing can be written to a folder; None if it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(_PROBE)
    except OSError as error:
        return error
    return None
