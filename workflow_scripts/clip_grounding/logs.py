"""Redirect everything that a job prints, with progress bars and final errors, to the rule's log."""

import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from clip_grounding.errors import InputError

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

_terminal: TextIO | None = None


def start_log(path: str | Path) -> None:
    """Send stdout and stderr of this process, libraries included, to the file `path`.

    An uncaught `InputError` is written as its message alone, anything else with its
    traceback. File descriptors are replaced, so that messages from C code and from
    child processes arrive too.

    Parameters
    ----------
    path : str or Path
        The log file; its folder is made where missing. It is overwritten.
    """
    global _terminal
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.isatty(2):
        _terminal = os.fdopen(os.dup(2), "w")
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    sys.excepthook = _write_last_words


def terminal() -> TextIO | None:
    """Return the terminal that this process was started on; None if there is none.

    A progress bar belongs there and not in a log.
    """
    if _terminal is None and sys.stderr.isatty():
        return sys.stderr
    return _terminal


def _write_last_words(kind, error, trace) -> None:
    if issubclass(kind, InputError):
        print(f"error: {error}", file=sys.stderr)
    else:
        traceback.print_exception(kind, error, trace, file=sys.stderr)
    sys.stderr.flush()
