"""Describe differences of settings and of code."""

import json
from collections.abc import Iterator

_MOST = 4


def describe_settings(old, new, path: str = "") -> Iterator[str]:
    """Yield a phrase per setting that differs.

    Parameters
    ----------
    old, new : JSON values
        Objects are compared key by key, and lists of names, or of rows of names, as ordered sets.
    path : str
        Their place in the settings, such as ``attribution.layers``.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            name = f"{path}.{key}" if path else key
            if key not in old:
                yield f"setting {name} is new: {json.dumps(new[key])}"
            elif key not in new:
                yield f"setting {name} is gone, was {json.dumps(old[key])}"
            else:
                yield from describe_settings(old[key], new[key], name)
    elif old != new:
        if _lists_names(old) and _lists_names(new):
            yield f"setting {path}: {_describe_lists(old, new)}"
        else:
            yield f"setting {path} is {json.dumps(new)}, was {json.dumps(old)}"


def _lists_names(value) -> bool:
    rows = value if isinstance(value, list) else [None]
    return all(
        isinstance(row, str)
        or (isinstance(row, list) and row and all(isinstance(part, str | float) for part in row))
        for row in rows
    )


def _describe_lists(old: list, new: list) -> str:
    old_rows, new_rows = ([_row(value) for value in values] for values in (old, new))
    parts = []
    for how, rows, others in (
        ("added", new_rows, old_rows),
        ("removed", old_rows, new_rows),
    ):
        differing = [row for row in rows if row not in set(others)]
        if differing:
            parts.append(f"{how}: {_shorten(_name(differing, others))}")
    return "; ".join(parts) or "another order"


def _row(value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _name(differing: list[tuple], others: list[tuple]) -> list[str]:
    """Name each row by an entry that no other row has, if each has one."""
    for column in range(min(map(len, differing))):
        known = {row[column] for row in others if len(row) > column}
        entries = [row[column] for row in differing]
        if not known & set(entries):
            return list(dict.fromkeys(entries))
    return [" ".join(row) for row in differing]


def describe_code(old: dict | None, new: dict | None) -> Iterator[str]:
    """Yield short descriptions of what differs between two records of code.

    Parameters
    ----------
    old, new : dict, optional
        As returned by `clip_grounding.workflow.fingerprint.describe`; None if missing.
    """
    if old is None or new is None:
        which = "before" if old is None else "now"
        yield f"its code is another, and what it was {which} is not on record"
        return
    changed = [*_changed_definitions(old["definitions"], new["definitions"])]
    versions = [*_changed_versions(old["libraries"], new["libraries"])]
    if changed:
        yield f"code: {_shorten(changed)}"
    yield from versions
    if not changed and not versions:
        yield "code: names stand for other definitions of the same names"


def _changed_definitions(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    """Name the definitions that differ; a moved one does not."""
    before, now = _by_name(old), _by_name(new)
    for name in sorted({*before, *now}):
        if sorted(before.get(name, {}).values()) == sorted(now.get(name, {}).values()):
            continue
        if name not in before or name not in now:
            yield f"`{name}` is {'called now' if name in now else 'called no more'}"
        else:
            yield f"`{name}` changed"


def _by_name(definitions: dict[str, str]) -> dict[str, dict[str, str]]:
    """Group definitions by their names without modules; scripts stay separate."""
    groups: dict[str, dict[str, str]] = {}
    for dotted, digest in definitions.items():
        name = dotted if dotted.endswith(".py") else dotted.rpartition(".")[2]
        groups.setdefault(name, {})[dotted] = digest
    return groups


def _changed_versions(old: dict, new: dict) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name} is {new.get(name) or 'not used'}, was {old.get(name) or 'not used'}"


def _shorten(parts: list[str]) -> str:
    more = f" and {len(parts) - _MOST} more" if len(parts) > _MOST + 1 else ""
    return ", ".join(parts[:_MOST] if more else parts) + more
