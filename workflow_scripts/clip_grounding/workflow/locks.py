"""Say which run holds a folder's lock, and how to go on.

Snakemake's own message names neither the run nor the machine. Each run leaves a note beside
Snakemake's locks, which are removed with them.
"""

import getpass
import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

import psutil

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

FOLDER = Path(".snakemake", "locks")

_UNLOCK = (
    "repeat the command with --unlock added, then without it; finished files are kept (on a"
    " cluster, cancel jobs of that run first)"
)


def note_run(folder: Path = FOLDER) -> Path | None:
    """Note beside the locks that this process holds them; return the note's path.

    Without room or permission there is no note, and no run fails for it.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())  # a container's user can have no name
    note = {
        "user": user,
        "host": platform.node(),
        "process": os.getpid(),
        "started": psutil.Process().create_time(),
    }
    path = folder / f"run-{platform.node()}-{os.getpid()}.json"
    try:
        path.write_text(json.dumps(note), encoding="utf-8")
    except OSError:
        return None
    return path


def describe_lock(folder: Path = FOLDER) -> str:
    """Return which runs hold the locks of a working folder, and what to do."""
    notes = [note for path in sorted(folder.glob("run-*.json")) if (note := _read_note(path))]
    where = folder.absolute().parents[1]
    if not notes:
        return (
            f"{where}: locked by a run that left no note: see that no snakemake works in this"
            f" folder (pgrep -af snakemake), on no machine; if none does, {_UNLOCK}"
        )
    return "\n".join(f"{where}: locked by {_describe_run(note)}" for note in notes)


def _describe_run(note: dict) -> str:
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(note["started"]))
    process = note["process"]
    run = f"a run that {note['user']} started at {began} on {note['host']}, process {process}"
    if note["host"] != platform.node():
        return (
            f"{run}: see on that machine whether it still runs (ps -p {process}); if so, wait for"
            f" its end; if not, {_UNLOCK}"
        )
    if _is_running(note):
        return f"{run}, which is running: wait for its end, or stop it with kill -INT {process}"
    return f"{run}, which was killed or lost to a power cut: {_UNLOCK}"


def _is_running(note: dict) -> bool:
    with suppress(psutil.Error):
        # The number alone could be another process's by now.
        return abs(psutil.Process(note["process"]).create_time() - note["started"]) < 2
    return False


def _read_note(path: Path) -> dict | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(path.read_text(encoding="utf-8"))
        return {
            "user": str(note["user"]),
            "host": str(note["host"]),
            "process": int(note["process"]),
            "started": float(note["started"]),
        }
    return None
