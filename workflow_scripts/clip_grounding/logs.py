"""Redirect everything that a job prints, with progress bars and final errors, to the rule's log."""

import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from clip_grounding.errors import (
    InputError,
    causes_of,
    describe_exhaustion,
    describe_memory,
    describe_unwritable,
)

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

_terminal: TextIO | None = None
_first_stderr: int | None = None
_outputs: tuple[str, ...] = ()


def start_log(path: str | Path, outputs: Iterable[str] = ()) -> None:
    """Send stdout and stderr of this process, libraries included, to the file `path`.

    An uncaught `InputError` is written as its message alone, and so is a lack of room, permission
    or memory; anything else with its traceback. File descriptors are replaced, so that messages
    from C code and from child processes arrive too.

    Parameters
    ----------
    path : str or Path
        The log file; its folder is made where missing. It is overwritten.
    outputs : iterable of str
        The files that this process writes, to name one where an error does not.

    Raises
    ------
    InputError
        The log cannot be written.
    """
    global _terminal, _first_stderr, _outputs
    show_last_words()
    path, _outputs = Path(path), (*outputs, str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError as error:
        raise describe_unwritable(path, error) from error
    if os.isatty(2):
        _terminal = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    sys.stdout.flush()
    sys.stderr.flush()
    _first_stderr = os.dup(2)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = _open_lines(1)
    sys.stderr = _open_lines(2)


def _open_lines(descriptor: int) -> TextIO:
    """Open a descriptor for text of any language, whatever the locale, written line by line."""
    return os.fdopen(
        descriptor, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace"
    )


def show_last_words() -> None:
    """Have this process end with one sentence where one says all, and not with a traceback."""
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
        words = f"error: {error}\n"
        # The reader of a file cannot tell whether the file is damaged or the memory short.
        if lacking := next(filter(None, map(describe_memory, causes_of(error))), None):
            words += f"If that file is whole: {lacking}\n"
    elif lacking := describe_exhaustion(error, _outputs):
        words = f"error: {lacking}\n"
    else:
        words = "".join(traceback.format_exception(kind, error, trace))
    try:
        sys.stderr.write(words)
        sys.stderr.flush()
    except OSError:  # the log's disk is full
        if _first_stderr is not None:
            os.write(_first_stderr, words.encode(errors="backslashreplace"))
