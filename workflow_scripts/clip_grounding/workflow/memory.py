"""Correct Snakemake's records of outputs by the stamps that the outputs carry.

Snakemake reruns a job when the settings on record differ from the current ones. Its records stay
behind when results are copied, may be another folder's, and do not notice a replaced file. Stamps
are reliable, so each output's record is corrected to match its stamp before Snakemake plans a run.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from clip_grounding.errors import InputError
from clip_grounding.workflow.changes import explain_params
from clip_grounding.workflow.stamps import Stamps

_SHOWN = 20
"""The largest number of lines in a message; a setting can concern hundreds of files."""


class Output(NamedTuple):
    """An existing output, and the rule that makes it."""

    path: str
    rule: str
    is_download: bool


class Records(Protocol):
    """The records that Snakemake keeps of outputs."""

    def params(self, path: str) -> list[str] | None:
        """Return the recorded parameters, as their representations; None without a record."""

    def write(self, path: str, rule: str, inputs: list[str], params: list[str]) -> None:
        """Replace the record of an output."""


def list_files(folders: Iterable[str]) -> Iterator[str]:
    """Yield files and folders below `folders`, hidden ones left out."""
    for folder in folders:
        for root, subfolders, files in os.walk(folder):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for name in [*subfolders, *sorted(files)]:
                if not name.startswith("."):
                    yield os.path.join(root, name)


def restore_records(outputs: Iterable[Output], records: Records) -> list[str]:
    """Correct the record of every output to match its stamp.

    An output without a stamp, or made from inputs other than the present ones, gets a record that
    no settings match, so that it is made again.

    Parameters
    ----------
    outputs : iterable of Output
    records : Records

    Returns
    -------
    list of str
        Messages, a line each; none if every record was right.

    Raises
    ------
    InputError
        A file that the workflow did not make stands where a download would replace it.
    """
    stamps = Stamps()
    adopted: list[str] = []
    faults: dict[str, list[str]] = {}
    for output in outputs:
        path, recorded = output.path, records.params(output.path)
        fault, stamp = stamps.find_fault(path), stamps.of(path)
        if output.is_download and stamp is None and recorded is None and _is_own(path):
            raise InputError(
                f"{path}: the workflow did not put this file here, and would replace it: move it"
                f" elsewhere and give its new path in the config, or delete it"
            )
        if fault or stamp is None:
            inputs, params = [], [repr(json.dumps({"unknown": f"its output {fault}"}))]
        else:
            inputs = sorted(stamp.inputs)
            params = sorted(repr(text) for text in (stamp.code, stamp.spec) if text is not None)
            stamps.settle_time(path)
        if recorded is None or set(recorded) != set(params):
            records.write(path, output.rule, inputs, params)
            if fault:
                faults.setdefault(fault, []).append(path)
            else:
                adopted.append(path)
    lines = [f"{_count(paths)} {fault}: made again" for fault, paths in faults.items()]
    if adopted:
        lines.append(f"{_count(adopted)} had no record here: taken for what the stamp says")
    return lines


def refuse_stale(
    outputs: Iterable[Output], expected: Callable[[str], tuple[str, str | None]]
) -> None:
    """Refuse outputs that the current settings would not make.

    For a run that was told not to remake outputs when settings change.

    Parameters
    ----------
    outputs : iterable of Output
    expected : callable
        Takes a path; returns its current ``spec`` and ``code``.

    Raises
    ------
    InputError
        The message names each file and what differs, with the old and the new value.
    """
    stamps, lines = Stamps(), []
    for output in outputs:
        stamp, fault = stamps.of(output.path), stamps.find_fault(output.path)
        if fault or stamp is None:
            lines.append(f"{output.path} {fault}")
            continue
        made_by, today = (
            {text for text in texts if text is not None}
            for texts in ((stamp.spec, stamp.code), expected(output.path))
        )
        causes = explain_params(sorted(made_by - today), sorted(today - made_by), Path())
        lines += [f"{output.path}: {cause}" for cause in causes]
    if lines:
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise InputError(
            "results are not what the settings say, and this run was told not to make them again"
            " for it: run without --rerun-triggers, or delete them\n  "
            + "\n  ".join([*lines[:_SHOWN], *more])
        )


def _is_own(path: str) -> bool:
    """Return whether replacing a file would lose a user's content; manifests guard folders."""
    return not os.path.islink(path) and Path(path).name != "manifest.json"


def _count(paths: list[str]) -> str:
    if len(paths) == 1:
        return paths[0]
    return f"{paths[0]} and {len(paths) - 1} more"
