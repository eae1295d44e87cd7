"""A plan of Snakemake's in words: which jobs would run, and which setting or function made them."""

import ast
import json
import re
from collections.abc import Iterator

from clip_grounding.fingerprint import explain_change

_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?: {4}.*\n)+)", re.MULTILINE)
_CHANGED = re.compile(r"before: (.*?) now: (.*?) ?(?:; [A-Z]|$)")
_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'")


def explain_plan(plan: str) -> list[str]:
    """Say for each rule of a dry run why its jobs would run.

    Parameters
    ----------
    plan : str
        What ``snakemake --dry-run`` prints.

    Returns
    -------
    list of str
        A line per rule and cause, in the plan's order, with the number of jobs.
    """
    counts: dict[tuple[str, str], int] = {}
    for rule, block in _JOB.findall(plan):
        if rule == "all":
            continue
        reason = re.search(r"^ +reason: (.*)$", block, re.MULTILINE)
        for cause in _causes(reason.group(1) if reason else ""):
            counts[rule, cause] = counts.get((rule, cause), 0) + 1
    return [
        f"{rule} ({count} {'job' if count == 1 else 'jobs'}): {cause}"
        for (rule, cause), count in counts.items()
    ]


def _causes(reason: str) -> Iterator[str]:
    changed = _CHANGED.search(reason)
    if changed:
        before, now = (
            [json.loads(ast.literal_eval(text)) for text in _TEXT.findall(part)]
            for part in changed.groups()
        )
        yield from explain_params(before, now)
    elif "Input files updated by another job" in reason:
        yield "what it reads is made again by a job above"
    elif "Missing output files" in reason:
        yield "its output is not there"
    elif "Set of input files has changed" in reason:
        yield "it reads other files than before"
    else:
        yield reason or "Snakemake gives no reason"


def explain_params(before: list[dict], now: list[dict]) -> Iterator[str]:
    """Compare a job's code and settings; each is the only one of its kind in its list."""
    for is_code in (True, False):
        old, new = (
            next((part for part in parts if ("libraries" in part) == is_code), None)
            for parts in (before, now)
        )
        if new is None:
            continue
        if old is None:
            yield f"nothing is on record of its {'code' if is_code else 'settings'}"
        elif is_code:
            yield from explain_change(json.dumps(old), json.dumps(new))
        else:
            yield from _explain_settings(old, new)


def _explain_settings(old, new, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            name = f"{path}.{key}" if path else key
            if key not in old:
                yield f"setting {name} is new: {json.dumps(new[key])}"
            elif key not in new:
                yield f"setting {name} is gone, was {json.dumps(old[key])}"
            else:
                yield from _explain_settings(old[key], new[key], name)
    elif old != new:
        yield f"setting {path} is {json.dumps(new)}, was {json.dumps(old)}"
