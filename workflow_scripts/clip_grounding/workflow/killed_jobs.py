"""Say at the end of a run which jobs were ended by a signal, and what that usually means."""

import re
import sys
from pathlib import Path

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

_KILLED = re.compile(
    r"(?:died with <Signals\.(?P<signal>SIG\w+)|returned non-zero exit status (?P<status>\d+)).*?"
    r"Error in rule (?P<rule>\w+):.*?^    output: (?P<output>\S+?),?(?: |$)",
    re.DOTALL | re.MULTILINE,
)
_BY_STATUS = {"134": "SIGABRT", "135": "SIGBUS", "137": "SIGKILL", "139": "SIGSEGV"}
"""The exit status of a shell whose program was ended by a signal."""

_MEANING = {
    "SIGKILL": (
        "if nobody ended it, the machine ran out of memory (dmesg says so): run fewer jobs at once"
        " (--cores) or lower batch_size, and rerun"
    ),
    "SIGABRT": (
        "a library gave up, often for lack of memory or of threads (ulimit -v, -u): see its log,"
        " lower --cores, and rerun"
    ),
    "SIGSEGV": (
        "a library crashed, often for lack of memory: see its log and rerun; if it ends so again,"
        " please report it"
    ),
    "SIGBUS": "a disk that it read from is full or gone: make room and rerun",
}


def read_run_log(path: str | Path) -> str:
    """Return Snakemake's log of a run; empty, with a word on it, if it was removed meanwhile."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        print(
            f"{path}: removed while this run needed it: run again, finished files are kept",
            file=sys.stderr,
        )
        return ""


def explain_signals(run_log: str) -> list[str]:
    """Return a line for each job of a run that a signal ended.

    Parameters
    ----------
    run_log : str
        Snakemake's log of the run.
    """
    lines = []
    for match in _KILLED.finditer(run_log):
        signal = match["signal"] or _BY_STATUS.get(match["status"])
        if signal in _MEANING:
            lines.append(f"{match['rule']} ({match['output']}): {signal}: {_MEANING[signal]}")
    return list(dict.fromkeys(lines))
