"""Find the definitions in the library's files, and the others that each of them names.

Parts that no output depends on are ignored: comments, docstrings, formatting, the text of
errors and messages, annotations of plain functions, and import statements. Neither the file in
which a definition stands nor the name of that file is part of its text: see
`clip_grounding.workflow.normal_form`.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clip_grounding.workflow.normal_form import Reader

LIBRARY = "clip_grounding"

NO_CODE = {"__version__", "CONTRACT", "AFFECTS_OUTPUT"}
"""Constants that no output depends on: contracts are read while the workflow is parsed."""


@dataclass(eq=False)
class Definition:
    """A function, class or constant of a module; with an empty name, its other statements."""

    module: "Module"
    name: str
    statements: list[ast.stmt] = field(default_factory=list)

    @cached_property
    def _read(self) -> Reader:
        return Reader(self.module, self.statements)

    @property
    def names(self) -> "list[Definition]":
        """The definitions that this one names, in the order in which it first names them."""
        return self._read.names

    @property
    def packages(self) -> set[str]:
        """The packages outside the library that it names."""
        return self._read.packages

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits of its own text, without the text of what it names."""
        return hashlib.sha256(self._read.text.encode()).hexdigest()[:12]

    @property
    def dotted(self) -> str:
        """Its name with that of its module, for a reader who looks for it."""
        return f"{self.module.name}.{self.name}" if self.name else self.module.name

    @cached_property
    def error(self) -> str:
        """``message`` for an error that carries a message only, ``values`` for another error."""
        (statement, *more) = self.statements
        if more or not isinstance(statement, ast.ClassDef):
            return ""
        kinds = [self._base_error(base) for base in statement.bases]
        if not any(kinds):
            return ""
        plain = all(isinstance(inner, ast.Pass | ast.Expr) for inner in statement.body)
        return "message" if plain and set(kinds) == {"message"} else "values"

    def _base_error(self, base: ast.expr) -> str:
        names = ast.unparse(base).split(".")
        reference = self.module.resolve(names[0], names[1:])
        if reference is not None:
            return reference.error or ("values" if names[-1].endswith("Error") else "")
        return "message" if names[0].endswith(("Error", "Exception")) else ""


@dataclass(frozen=True)
class Reference:
    """The definition that a dotted name in a file stands for.

    Attributes
    ----------
    text : str
        The name as written in texts that do not depend on files.
    names : list of Definition
        The definition; for a module, all of them; none for what no output depends on.
    packages : set of str
        The package outside the library, if any.
    error : str
        See `Definition.error`.
    is_silent : bool
        Whether it belongs to a module that affects no output.
    is_logger : bool
        Whether it is a method of a module's logger.
    """

    text: str
    names: "list[Definition]" = field(default_factory=list)
    packages: set[str] = field(default_factory=set)
    error: str = ""
    is_silent: bool = False
    is_logger: bool = False


class Module:
    """A file of the library, or a script beside it: its definitions and its imports.

    Parameters
    ----------
    library : Library
    name : str
        Dotted name; for a script, the file's name.
    path : Path
    is_script : bool
        All its statements are run, so they count as one: its `effects`.
    """

    def __init__(self, library: "Library", name: str, path: Path, is_script: bool = False):
        self.library, self.name, self.path = library, name, path
        self._is_script = is_script
        self.definitions: dict[str, Definition] = {}
        self.imports: dict[str, str] = {}
        self.effects = Definition(self, "")
        self.imported: set[str] = set()
        self._resolved: dict[tuple[str, ...], Reference] = {}
        text = path.read_text(encoding="utf-8")
        self.has_walrus = ":=" in text
        for statement in ast.parse(text, filename=str(path)).body:
            self._add(statement)
        marks = self.definitions.get("AFFECTS_OUTPUT")
        self.is_silent = marks is not None and "= False" in ast.unparse(marks.statements[0])

    def _add(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self.merge(self.imports, self.bind(statement))
            return
        names = [] if self._is_script else _defined_names(statement)
        for name in names:
            self.definitions.setdefault(name, Definition(self, name)).statements.append(statement)
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not names and not is_text:
            self._add_effect(statement)

    def _add_effect(self, statement: ast.stmt) -> None:
        """Add a statement that has an effect when the module is imported, and what it binds."""
        self.effects.statements.append(statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self.merge(self.imports, self.bind(node))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.definitions.setdefault(node.id, self.effects)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.definitions.setdefault(node.name, self.effects)

    def bind(self, statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
        """Yield the names that an import binds, each with its dotted name.

        Raises
        ------
        ValueError
            The import is relative or of ``*``, which are not followed.
        """
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.imported.add(alias.name)
                root = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (root, root)
            return
        if statement.level or statement.module is None:
            raise ValueError(f"{self.path}: relative import, not followed: name the module")
        for alias in statement.names:
            if alias.name == "*":
                raise ValueError(f"{self.path}: import of *, not followed: name what is used")
            dotted = f"{statement.module}.{alias.name}"
            self.imported |= {statement.module, dotted}  # the latter may be a module
            yield alias.asname or alias.name, dotted

    def merge(self, imports: dict[str, str], bound: Iterable[tuple[str, str]]) -> None:
        """Add the names that imports bind to those of a scope.

        Raises
        ------
        ValueError
            A name would stand for two things in the library, of which only one is followed.
        """
        for name, dotted in bound:
            before = imports.setdefault(name, dotted)
            if before != dotted and (self.is_own(before) or self.is_own(dotted)):
                raise ValueError(f"{self.path}: imports {before} and {dotted} as one name, {name}")

    @staticmethod
    def is_own(dotted: str) -> bool:
        """Return whether a dotted name is in the library."""
        return dotted.partition(".")[0] == LIBRARY

    def resolve(self, name: str, attributes: list[str]) -> Reference | None:
        """Return what a name in the module stands for; None if the module does not bind it."""
        if name not in self.definitions and name not in self.imports:
            return None
        key = (name, *attributes)
        if key not in self._resolved:
            self._resolved[key] = (
                self._refer(self.definitions[name], name, attributes)
                if name in self.definitions
                else self.resolve_import(self.imports[name], attributes)
            )
        return self._resolved[key]

    def resolve_import(self, dotted: str, attributes: list[str]) -> Reference:
        """Return what an imported name stands for, with the attributes read from it."""
        whole = [*dotted.split("."), *attributes]
        if not self.is_own(dotted):
            return Reference(".".join(whole), packages={whole[0]})
        place, name, rest = self.library.find(whole, self.path)
        if isinstance(place, Module):
            silent = place.is_silent
            return Reference("@*", [] if silent else place.everything(), is_silent=silent)
        if isinstance(place, str):
            return Reference(".".join([place, *rest]), packages={place.partition(".")[0]})
        return self._refer(place, name, rest)

    def _refer(self, definition: Definition, name: str, attributes: list[str]) -> Reference:
        silent = definition.module.is_silent
        return Reference(
            text=".".join([f"@{name}", *attributes]),
            names=[] if silent or name in NO_CODE else [definition],
            error="" if attributes else definition.error if definition.statements else "",
            is_silent=silent,
            is_logger=bool(attributes) and _makes_logger(definition),
        )

    def registered(self) -> list[Definition]:
        """Return the definitions that importing the module registers by a decorator."""
        return [
            definition
            for definition in self.definitions.values()
            for statement in definition.statements
            for node in getattr(statement, "decorator_list", [])
            if Reader(self, [ast.Expr(node)]).names
        ]

    def everything(self) -> list[Definition]:
        """Return all definitions of the module that an output can depend on, by name."""
        names = sorted(set(self.definitions) - NO_CODE)
        return list(dict.fromkeys(self.definitions[name] for name in names))


class Library:
    """The library's folder, read file by file as names lead to them.

    Parameters
    ----------
    folder : Path
        The folder that holds the scripts and the library.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """Return a module by its dotted name; None if the library has no such module."""
        if name not in self._modules:
            path = self._find_file(name)
            self._modules[name] = None if path is None else Module(self, name, path)
        return self._modules[name]

    def _find_file(self, name: str) -> Path | None:
        if name.partition(".")[0] != LIBRARY:
            return None
        path = self.folder.joinpath(*name.split("."))
        candidates = (path / "__init__.py", path.with_suffix(".py"))
        return next((candidate for candidate in candidates if candidate.is_file()), None)

    def find(
        self, dotted: list[str], where: Path
    ) -> tuple[Definition | Module | str, str, list[str]]:
        """Return what a dotted name stands for, its name there, and the remaining attributes.

        Parameters
        ----------
        dotted : list of str
            Such as clip_grounding, strict, METRICS. Names that a module imports are followed.
        where : Path
            The file that names it, for the error.

        Returns
        -------
        place : Definition, Module or str
            A str if it comes from another package, imported by a module of the library.
        name : str
        rest : list of str

        Raises
        ------
        ValueError
            No such module or definition exists.
        """
        place, rest = self.module(dotted[0]), dotted[1:]
        while place is not None and rest:
            name, inner = rest[0], f"{place.name}.{rest[0]}"
            target = place.imports.get(name, inner)
            if name in place.definitions:
                return place.definitions[name], name, rest[1:]
            if target != inner and not Module.is_own(target):
                return target, name, rest[1:]
            if target != inner:
                return self.find([*target.split("."), *rest[1:]], where)
            place, rest = self.module(inner), rest[1:]
        if place is None:
            raise ValueError(f"{where}: names {'.'.join(dotted)}, which is not in the library")
        return place, "", []

    def imported_by(self, names: Iterable[str]) -> list[Module]:
        """Return every module that is imported when the named ones are."""
        seen: dict[str, Module] = {}
        pending = list(names)
        while pending:
            name = pending.pop()
            while name and name not in seen:  # with its parent packages
                module = self.module(name)
                if module is not None:
                    seen[name] = module
                    pending += module.imported
                name = name.rpartition(".")[0]
        return list(seen.values())


def _defined_names(statement: ast.stmt) -> list[str]:
    """Return the names that a module's statement defines; none if it does something else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return []
    targets = [
        inner
        for target in targets
        for inner in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names if len(names) == len(targets) and set(names) != {"_"} else []


def _makes_logger(definition: Definition) -> bool:
    """Return whether a constant is made by ``logging.getLogger``."""
    value = getattr(definition.statements[0], "value", None) if definition.statements else None
    if not isinstance(value, ast.Call):
        return False
    names = ast.unparse(value.func).split(".")
    reference = definition.module.resolve(names[0], names[1:])
    return reference is not None and reference.text == "logging.getLogger"
