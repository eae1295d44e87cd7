"""Read what kinds declare of themselves, without importing them.

A folder of the library holds a module per kind, such as an attribution method or a baseline. It
assigns a literal, ``CONTRACT``, and defines the functions that the library calls.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from clip_grounding.errors import InputError


@dataclass(frozen=True)
class Kind:
    """A module that is read and not imported.

    Attributes
    ----------
    path : Path
    contract : dict
        The value of ``CONTRACT``; its keys are unchecked.
    functions : frozenset of str
        Names of the functions that the module defines.
    document : str
        The page that says what the module holds.
    """

    path: Path
    contract: dict
    functions: frozenset[str]
    document: str

    def refuse(self, problem: str) -> NoReturn:
        """Raise an `InputError` on the module's contract."""
        raise InputError(f"{self.path}: CONTRACT: {problem}: see {self.document}")

    def require(self, function: str) -> None:
        """Raise an `InputError` if the module does not define a function."""
        if function not in self.functions:
            raise InputError(f"{self.path}: has no function {function}: see {self.document}")


def list_kinds(folder: Path) -> list[str]:
    """List the names of the kinds in a folder: its modules without a leading underscore."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def read_kind(path: Path, document: str) -> Kind:
    """Read a kind's module.

    Parameters
    ----------
    path : Path
    document : str
        The page that the errors name.

    Raises
    ------
    InputError
        It cannot be read, or assigns no literal mapping to ``CONTRACT``.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        contract = next(
            ast.literal_eval(statement.value)
            for statement in tree.body
            if isinstance(statement, ast.Assign)
            and [ast.unparse(target) for target in statement.targets] == ["CONTRACT"]
        )
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: its CONTRACT cannot be read: {error}") from error
    except StopIteration:
        raise InputError(f"{path}: has no CONTRACT = {{...}}: see {document}") from None
    functions = frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    kind = Kind(path, contract, functions, document)
    if not isinstance(contract, dict):
        kind.refuse("not a mapping")
    return kind
