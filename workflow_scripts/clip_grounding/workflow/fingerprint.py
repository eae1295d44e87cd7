"""Hash a job's code, so that it reruns when its code changes and not when a file is touched.

A script's fingerprint is a hash of its statements and of every definition of the library that it
can reach by name, from definition to definition; `clip_grounding.workflow.definitions` says which
parts count. The place of a definition does not: moving it, or its file, changes nothing.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from clip_grounding.files import replacing
from clip_grounding.workflow.definitions import Definition, Library, Module

NUMERIC_LIBRARIES = {
    "torch": "torch",
    "transformers": "transformers",
    "numpy": "numpy",
    "PIL": "pillow",
    "ftfy": "ftfy",
}
"""Imports whose version can change numbers, with the package that provides each."""

RECORDS = Path("results/.code")
"""Folder of the records, in the run's working directory."""


@lru_cache(maxsize=256)
def fingerprint(script: Path, roots: tuple[str, ...] = ()) -> str:
    """Return the hash of the code that a script runs: 16 hexadecimal digits.

    Parameters
    ----------
    script : Path
        The script, beside the library's folder. Its fingerprint is computed once per process.
    roots : tuple of str
        Dotted names of modules or definitions of the library that the script finds at run time,
        by names that no code spells out, such as ``clip_grounding.attribution.rise``.

    Raises
    ------
    ValueError
        A file has an import that cannot be followed, or one that the library lacks.
    """
    reached = reach(script, roots)
    numbers = {definition: number for number, definition in enumerate(reached)}
    code = [
        [
            definition.name,
            definition.digest,
            [numbers[name] for name in definition.names],
        ]
        for definition in reached
    ]
    return hashlib.sha256(_canonical([code, library_versions(reached)]).encode()).hexdigest()[:16]


@lru_cache(maxsize=256)
def reach(script: Path, roots: tuple[str, ...] = ()) -> tuple[Definition, ...]:
    """Return every definition that a script can reach, the script's own statements first.

    The order follows from the definitions alone, not from their files.
    """
    library = _library(script.parent)
    module = Module(library, script.name, script, is_script=True)
    start = [module.effects]
    imported = set(module.imported)
    for root in roots:
        place, _, rest = library.find(root.split("."), script)
        if rest or isinstance(place, str):
            raise ValueError(f"{script}: {root} is not a module or definition of the library")
        start += [place] if isinstance(place, Definition) else place.everything()
        imported.add(place.name if isinstance(place, Module) else place.module.name)
    reached = _follow(start)
    # The effects of importing modules, local imports included.
    loaded = library.imported_by({*imported, *(part.module.name for part in reached)})
    effects = [part for module in loaded if not module.is_silent for part in _effects(module)]
    return _follow([*start, *sorted(effects, key=lambda part: (part.digest, part.name))])


def _effects(module: Module) -> list[Definition]:
    own = [module.effects] if module.effects.statements else []
    return own + module.registered()


def _follow(start: Iterable[Definition]) -> tuple[Definition, ...]:
    """Return the definitions and all that they name, directly or not, by first mention."""
    reached: dict[Definition, None] = {}
    pending = list(start)[::-1]
    while pending:
        definition = pending.pop()
        if definition not in reached:
            reached[definition] = None
            pending.extend(reversed(definition.names))
    return tuple(reached)


@lru_cache(maxsize=64)
def _library(folder: Path) -> Library:
    return Library(folder)


def library_versions(reached: Iterable[Definition]) -> dict[str, str | None]:
    """Return major.minor of those `NUMERIC_LIBRARIES` that the definitions name."""
    named = set().union(*(definition.packages for definition in reached))
    return {
        package: minor_version(package)
        for name, package in sorted(NUMERIC_LIBRARIES.items())
        if name in named
    }


@lru_cache(maxsize=16)
def minor_version(package: str) -> str | None:
    """Return a package's version as major.minor; None where it is not installed."""
    try:
        return ".".join(version(package).split(".")[:2])
    except PackageNotFoundError:
        return None  # the rule's own environment has it; Snakemake watches that


@lru_cache(maxsize=256)
def record_code(
    code: str, script: Path, roots: tuple[str, ...] = (), folder: Path = RECORDS
) -> None:
    """Record what a script's fingerprint stands for, beside the results.

    The record lists each definition by its dotted name with a hash of its text, and the
    versions of packages. `clip_grounding.workflow.changes` compares records. An existing record is
    kept.

    Parameters
    ----------
    code : str
        The fingerprint.
    script, roots
        See `fingerprint`.
    folder : Path
        Holds a file ``<fingerprint>.json`` per fingerprint.
    """
    path = Path(folder, f"{code}.json")
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_text(_canonical(describe(script, roots)) + "\n", encoding="utf-8")


def describe(script: Path, roots: tuple[str, ...] = ()) -> dict:
    """Return what a fingerprint stands for, see `record_code`."""
    reached = reach(script, roots)
    return {
        "script": script.name,
        "definitions": {definition.dotted: definition.digest for definition in reached},
        "libraries": library_versions(reached),
    }


def _canonical(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
