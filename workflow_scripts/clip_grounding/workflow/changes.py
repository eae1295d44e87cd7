"""Explain Snakemake's plan: which setting or function would make which jobs run."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clip_grounding.workflow.differences import describe_code, describe_settings
from clip_grounding.workflow.fingerprint import RECORDS

UNKNOWN = '{"unknown":'
"""The prefix that marks the record of an output that is not trusted."""

_JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):\n((?: {4}.*\n)+)", re.MULTILINE)
_CHANGED = re.compile(r"before: (.*?) now: (.*?) ?(?:; [A-Z]|$)")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'")
_CODE = re.compile(r"[0-9a-f]{16}")
_UNRECORDED = re.compile(
    r"^(\d+) jobs have \w+ provenance/metadata.*\nRules with .*: (.*)$", re.MULTILINE
)
_BLOCKS = re.compile(
    r"^(?:SNAKEMAKE\n=+\n(?: .*\n)+|Job stats:\n(?:.+\n)+|Reasons:\n(?: .*\n)+"
    r"|Some jobs were triggered by provenance information(?:.*\n)+?.*-metadata <outfile>'\..*\n)",
    re.MULTILINE,
)
_LINES = re.compile(
    r"^(?:host: .*|Using .*profile .*|Config file .* is extended .*|Assuming unrestricted shared .*"
    r"|Building DAG of jobs\.\.\.|Rules with provenance triggered jobs: .*|This was a dry-run.*"
    r"|Nothing to be done.*|\[.*\d\d:\d\d:\d\d \d{4}\])$",
    re.MULTILINE,
)
_FOLDER = re.compile(r"^  Working directory: (.*)$", re.MULTILINE)
_OTHER_REASONS = {
    "Missing output files": "no output yet",
    "Incomplete output files": "its output is incomplete: a job was stopped while it wrote",
    "Forced execution": "asked for (--force)",
    "Software environment definition has changed": "another software environment",
    "Code has changed": "another script by its time",
}
_MOST_FILES = 3


@dataclass
class _Job:
    rule: str
    inputs: set[str]
    outputs: set[str]
    causes: list[str] = field(default_factory=list)


def is_plan(text: str) -> bool:
    """Return whether Snakemake printed a plan, possibly an empty one, and not an error."""
    return _JOB.search(text) is not None or "Nothing to be done" in text


def explain_plan(plan: str) -> list[str]:
    """List for each cause the jobs of a dry run that it triggers, and what follows from them.

    Parameters
    ----------
    plan : str
        The output of ``snakemake --dry-run``. The records of the code are looked up in the
        working directory that it names.

    Returns
    -------
    list of str
        A line per cause with the rules whose jobs it concerns, and an indented one for the jobs
        that run only because these do. Then jobs without a record, and Snakemake's warnings.
    """
    named = _FOLDER.search(plan)
    folder = Path(named.group(1) if named else "")
    jobs = [_read_job(rule, block, folder) for rule, block in _JOB.findall(plan)]
    jobs = [job for job in jobs if job.rule != "all"]
    by_cause: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        for cause in job.causes:
            by_cause.setdefault(cause, []).append(number)
    together: dict[tuple[int, ...], list[str]] = {}
    for cause, numbers in by_cause.items():
        together.setdefault(tuple(numbers), []).append(cause)
    lines = []
    for members, causes in together.items():
        lines.append(f"{'; '.join(causes)}: {_count(jobs, members)}")
        below = _below(jobs, members)
        if below:
            rules = len({jobs[number].rule for number in below})
            lines.append(
                f"  and {_plural(rules, 'rule')} below ({_plural(len(below), 'job')}), which read"
                " what these make"
            )
    return lines + _unrecorded(plan) + other_lines(plan)


def _read_job(rule: str, block: str, folder: Path) -> _Job:
    fields = dict(re.findall(r"^ {4}(\w+): (.*)$", block, re.MULTILINE))
    inputs, outputs = (set(fields.get(name, "").split(", ")) - {""} for name in ("input", "output"))
    return _Job(rule, inputs, outputs, list(_causes(fields.get("reason", ""), folder)))


def _causes(reason: str, folder: Path) -> Iterator[str]:
    """Yield the causes of a job; none if it only reads what other jobs make again."""
    found = [cause for part, cause in _OTHER_REASONS.items() if part in reason]
    changed = _CHANGED.search(reason)
    if changed:
        before, now = (
            [ast.literal_eval(text) for text in _TEXT.findall(part)] for part in changed.groups()
        )
        found += explain_params(before, now, folder)
    newer = re.search(r"Updated input files: (.*?)(?:;|$)", reason)
    if newer:
        names = newer.group(1).split(", ")
        more = f" and {len(names) - _MOST_FILES} more" if len(names) > _MOST_FILES else ""
        found.append(f"newer than what is made of it: {', '.join(names[:_MOST_FILES])}{more}")
    if not found and "Set of input files has changed" in reason:
        found.append("other input files than before")
    if not found and "Input files updated by another job" not in reason:
        found.append(reason or "Snakemake gives no reason")
    yield from found


def explain_params(before: list[str], now: list[str], folder: Path) -> Iterator[str]:
    """Compare the recorded code and settings of an output with the current ones.

    Parameters
    ----------
    before, now : list of str
        The settings as canonical JSON and the code's fingerprint, in any order.
    folder : Path
        The run's working directory, where the records of the code are.

    Yields
    ------
    str
        A cause, as text.
    """
    unknown = next((text for text in before if text.startswith(UNKNOWN)), None)
    if unknown is not None:
        yield json.loads(unknown)["unknown"]
        return
    for is_code in (True, False):
        old, new = (
            next((text for text in texts if bool(_CODE.fullmatch(text)) == is_code), None)
            for texts in (before, now)
        )
        if new is None:
            continue
        if is_code:
            records = [_read_record(folder, code) for code in (old, new)]
            yield from describe_code(*records)
        elif old is None or '"libraries":' in old:
            yield "nothing is on record of its settings"
        else:
            yield from describe_settings(json.loads(old), json.loads(new))


def _read_record(folder: Path, code: str | None) -> dict | None:
    try:
        return json.loads(Path(folder, RECORDS, f"{code}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _below(jobs: list[_Job], numbers: tuple[int, ...]) -> set[int]:
    """Return the other jobs that read, directly or not, what the given ones make."""
    readers: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        for path in job.inputs if not job.causes else ():
            readers.setdefault(path, []).append(number)
    below: set[int] = set()
    pending = list(numbers)
    while pending:
        for path in jobs[pending.pop()].outputs:
            new = set(readers.get(path, ())) - below
            below |= new
            pending += new
    return below


def _count(jobs: list[_Job], numbers: tuple[int, ...]) -> str:
    counts: dict[str, int] = {}
    for number in numbers:
        counts[jobs[number].rule] = counts.get(jobs[number].rule, 0) + 1
    return ", ".join(f"{rule} ({_plural(count, 'job')})" for rule, count in counts.items())


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _unrecorded(plan: str) -> list[str]:
    return [
        "no complete record of how they were made, so that only missing files and times tell:"
        f" {', '.join(sorted(set(rules.split())))} ({_plural(int(count), 'job')})"
        for count, rules in _UNRECORDED.findall(plan)
    ]


def other_lines(plan: str) -> list[str]:
    """Return what Snakemake prints besides its plan: its warnings."""
    rest = plan
    for known in (_JOB, _UNRECORDED, _BLOCKS, _LINES):
        rest = known.sub("", rest)
    return [line for line in rest.splitlines() if line.strip()]
