"""Read settings files as written, and refuse what YAML readers accept silently.

Snakemake has read and merged the files before the workflow sees them. They are read again for what
the merged settings no longer show: which file named what, duplicate keys, and aliases.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from clip_grounding.errors import InputError

_MOST_VALUES = 100_000
_PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?|true|false|null")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where it is built


def read_settings(path: str | Path) -> dict:
    """Read a file of settings, YAML or JSON.

    Raises
    ------
    InputError
        It cannot be read; a key is given twice; a value contains itself, or aliases expand to more
        values than any settings hold.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        try:
            settings = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, path))
        except json.JSONDecodeError:
            _check_nodes(yaml.compose(text, _Loader), path)
            settings = yaml.load(text, _Loader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as settings ({reason}): correct it") from error
    return settings if isinstance(settings, dict) else {}


def read_given(settings: Any) -> Any:
    """Return settings of the command line with nested numbers and switches as such.

    Snakemake leaves what stands inside braces as text: ``--config "evidence={images: 0}"``.
    """
    if isinstance(settings, dict):
        return {key: read_given(value) for key, value in settings.items()}
    if isinstance(settings, list):
        return [read_given(value) for value in settings]
    is_plain = isinstance(settings, str) and _PLAIN.fullmatch(settings)
    return json.loads(settings) if is_plain else settings


def _once(pairs: list[tuple], path: Path) -> dict:
    """Make a dictionary of a JSON object, refusing duplicate keys."""
    section = dict(pairs)
    if len(section) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{path}: {twice} is given twice in the same section: remove one of them")
    return section


def _check_nodes(root: yaml.Node | None, path: Path) -> None:
    """Refuse a YAML document with duplicate keys, or with circular or excessive aliases."""
    counts: dict[int, int] = {}
    unfinished: set[int] = set()

    def count(node: yaml.Node) -> int:
        if id(node) in counts:
            return counts[id(node)]
        where = f"{path}: line {node.start_mark.line + 1}"
        if id(node) in unfinished:
            raise InputError(f"{where}: contains itself by an alias: write the values out")
        unfinished.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, path)
            total += sum(count(key) + count(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(map(count, node.value))
        if total > _MOST_VALUES:
            raise InputError(
                f"{where}: more than {_MOST_VALUES:,} values, with aliases written out: remove the"
                " aliases"
            )
        unfinished.discard(id(node))
        counts[id(node)] = total
        return total

    if root is not None:
        count(root)


def _check_keys(node: yaml.MappingNode, path: Path) -> None:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                raise InputError(
                    f"{path}: line {line}: {key.value} is given already in line {seen[key.value]}:"
                    " remove one of the two"
                )
            seen[key.value] = line
