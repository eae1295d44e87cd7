"""What a job's code is, so that a job reruns when its code changes and not when a file is touched.

A script's fingerprint holds a short hash of every definition in it and in the library modules
that it imports, directly or not. Hashes are of the syntax tree without comments and
docstrings: a reworded comment or a reformatted line is the same code.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARY = "clip_grounding"

NUMERIC_LIBRARIES = {
    "torch": "torch",
    "transformers": "transformers",
    "captum": "captum",
    "numpy": "numpy",
    "PIL": "pillow",
    "ftfy": "ftfy",
}
"""Imports whose version can change numbers, with the package that they come in."""

NO_CODE = {"__version__", "CONTRACT"}
"""Assignments that no output depends on; contracts are read while the workflow is parsed."""

WITHOUT_OUTPUT = {f"{LIBRARY}.{name}" for name in ("contracts", "devices", "errors", "logs")}
"""Modules that say whether and how a job runs and what it prints; no output depends on them."""


@lru_cache(maxsize=256)
def fingerprint(script: Path, modules: tuple[str, ...] = ()) -> str:
    """Describe the code that a script runs.

    Parameters
    ----------
    script : Path
        The script, beside the library's folder. Its fingerprint is taken once per process.
    modules : tuple of str
        Library modules that it loads by name, which no import statement shows.

    Returns
    -------
    str
        Canonical JSON: module to definition to hash, and major.minor of `NUMERIC_LIBRARIES`
        that the modules import. Equal for equal code.
    """
    code, libraries = {script.name: hash_definitions(script)}, set(_imports(script))
    pending = [*libraries, *modules]
    while pending:
        module = pending.pop()
        path = find_module(script.parent, module)
        if path is None or module in code or module in WITHOUT_OUTPUT:
            continue
        code[module] = hash_definitions(path)
        imported = _imports(path)
        libraries.update(imported)
        pending += [*imported, *_packages(module)]
    roots = {name.partition(".")[0] for name in libraries}
    code["libraries"] = {
        package: _minor_version(package)
        for root, package in NUMERIC_LIBRARIES.items()
        if root in roots
    }
    return json.dumps(code, sort_keys=True, separators=(",", ":"))


def find_module(folder: Path, module: str) -> Path | None:
    """Give a library module's file; None if the name is none of the library's modules."""
    if module.partition(".")[0] != LIBRARY:
        return None
    path = folder.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@lru_cache(maxsize=1024)
def hash_definitions(path: Path) -> dict[str, str]:
    """Hash each top-level definition of a file, and the other statements as ``""``.

    Comments, docstrings, formatting and what `NO_CODE` names do not take part.
    """
    parts: dict[str, list[str]] = {}
    for statement in _parse(path).body:
        name = getattr(statement, "name", "")
        if isinstance(statement, ast.Assign) and NO_CODE & set(map(ast.unparse, statement.targets)):
            continue
        parts.setdefault(name, []).append(ast.unparse(statement))
    return {
        name: hashlib.sha256("\n".join(code).encode()).hexdigest()[:12]
        for name, code in parts.items()
    }


@lru_cache(maxsize=1024)
def _parse(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [statement for statement in body if not _is_text(statement)]
            node.body = kept or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a bare string: a docstring, of a definition or of a constant."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@lru_cache(maxsize=1024)
def _imports(path: Path) -> tuple[str, ...]:
    """Every module that a file may import, wherever the import stands."""
    found = set()
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}: relative import, which is not followed: name the module")
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)  # may be a module
    return tuple(sorted(found))


def _packages(module: str) -> Iterator[str]:
    """The packages around a module: importing it runs their ``__init__`` too."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _minor_version(package: str) -> str | None:
    try:
        return ".".join(version(package).split(".")[:2])
    except PackageNotFoundError:
        return None  # the rule's own environment has it; Snakemake watches that


def explain_change(before: str, after: str) -> list[str]:
    """Say in words what differs between two fingerprints.

    Parameters
    ----------
    before, after : str
        As `fingerprint` gives them.
    """
    old, new = json.loads(before), json.loads(after)
    lines = []
    for module in sorted({*old, *new}):
        if module not in old:
            lines.append(f"{module} takes part now")
        elif module not in new:
            lines.append(f"{module} takes part no more")
        else:
            lines += _explain_definitions(module, old[module], new[module])
    return lines


def _explain_definitions(module: str, old: dict, new: dict) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        if module == "libraries":
            yield f"{name} is {new.get(name, 'gone')}, was {old.get(name, 'not used')}"
            continue
        how = "is new" if name not in old else "is gone" if name not in new else "changed"
        yield f"{module}: {f'`{name}`' if name else 'its top level'} {how}"
