"""Reduce a definition to the text that outputs depend on, and list what it names.

Names of the library and of imports are written as what they stand for: ``strict.f``, and ``g``
after ``from clip_grounding.scoring.strict import f as g``, are both ``@f``; ``np.mean`` is
``numpy.mean``.
"""

import ast
import builtins
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

_DISPLAY = {"print", "warnings.warn", "sys.stderr.write", "sys.stdout.write"}
_STREAMS = {"sys.stderr", "sys.stdout"}
_PROGRESS = {"tqdm.tqdm", "tqdm.auto.tqdm"}
_CARRY_VALUES = {"StopIteration", "StopAsyncIteration", "SystemExit"}

_EFFECTS = ast.Call | ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom
_COMPREHENSIONS = {ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp}
_DEFINITIONS = {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
_IMPORTS = {ast.Import, ast.ImportFrom}
_VALUES = {"value", "test", "iter", "exc", "cause", "msg", "context_expr", "subject", "guard"}
_NO_BINDING = {ast.Constant, ast.Load, ast.Store, ast.Lambda, ast.Pass, ast.Break, ast.Continue}


class _Scope:
    """Names that a function or comprehension binds."""

    def __init__(self, bound=(), imports=None, outside=()):
        self.imports = imports or {}
        self.outside = set(outside)
        self.bound = {*bound, *self.imports} - self.outside


class Reader:
    """Read statements of a module.

    Parameters
    ----------
    module : clip_grounding.workflow.definitions.Module
    statements : list of ast.stmt

    Attributes
    ----------
    text : str
        Equal for statements that do the same with the names they use.
    names : list of Definition
        The library's definitions that they name. ``@f#2`` in the text is a name ``f`` that stands
        for the third of these.
    packages : set of str
        Packages outside the library that they name.
    """

    def __init__(self, module, statements: list[ast.stmt]):
        self.names: list[Any] = []
        self.packages: set[str] = set()
        self._module, self._depth = module, 0
        self._scopes: list[_Scope] = []
        self._parts: list[str] = []
        self._numbers: dict[object, int] = {}
        self._body(statements)
        self.text = "".join(self._parts)

    def _visit(self, node: ast.AST) -> None:
        self._visits.get(node.__class__, Reader._fields)(self, node)

    def _fields(self, node: ast.AST, leave_out: tuple[str, ...] = ()) -> None:
        """Write a node with all its non-empty fields."""
        self._parts.append(f"({node.__class__.__name__}")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or value == [] or name in ("ctx", "kind") or name in leave_out:
                continue
            self._parts.append(f" {name}:")
            if isinstance(value, ast.AST):
                self._visit(value)
            elif not isinstance(value, list):
                self._parts.append(repr(value))
            elif isinstance(value[0], ast.stmt):
                self._body(value)
            else:
                self._all(value)
        self._parts.append(")")

    def _all(self, values: list) -> None:
        for value in values:
            if isinstance(value, ast.AST):
                self._visit(value)
            else:
                self._parts.append(f" {value!r}")

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.Expr):
                if isinstance(statement.value, ast.Constant):
                    continue  # a docstring, of a definition or of a constant
                call = statement.value
                if isinstance(call, ast.Call) and self._is_message(call):
                    self._effects_in(call)
                    continue
            self._visit(statement)

    # Names

    def _visit_name(self, node: ast.Name) -> None:
        self._parts.append(self._name(node.id, []))

    def _visit_attribute(self, node: ast.Attribute) -> None:
        attributes: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            attributes.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name):
            self._parts.append(self._name(inner.id, attributes[::-1]))
            return
        self._visit(inner)
        self._parts.append("".join(f".{name}" for name in reversed(attributes)))

    def _name(self, name: str, attributes: list[str]) -> str:
        """Return the text of a dotted name, and note what it stands for."""
        reference = self._resolve(name, attributes)
        if reference is None:
            return ".".join(["", name, *attributes])
        self.packages.update(reference.packages)
        for definition in reference.names:
            if definition not in self._numbers:
                self._numbers[definition] = len(self.names)
                self.names.append(definition)
        numbers = ",".join(str(self._numbers[definition]) for definition in reference.names)
        return f" {reference.text}#{numbers}" if reference.names else f" {reference.text}"

    def _resolve(self, name: str, attributes: list[str]):
        """Return what a dotted name stands for; None for a local name and for a builtin."""
        for scope in reversed(self._scopes):
            if name in scope.outside:
                break
            if name in scope.imports:
                return self._module.resolve_import(scope.imports[name], attributes)
            if name in scope.bound:
                return None
        return self._module.resolve(name, attributes)

    def _resolve_node(self, node: ast.expr):
        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        return self._resolve(node.id, attributes[::-1]) if isinstance(node, ast.Name) else None

    def _called(self, call: ast.Call) -> str:
        """Return the dotted name of a called function of Python or another package, else ""."""
        reference = self._resolve_node(call.func)
        if reference is not None:
            return "" if reference.names else reference.text
        if isinstance(call.func, ast.Name) and not self._is_local(call.func.id):
            return call.func.id
        return ""

    def _is_local(self, name: str) -> bool:
        return any(name in scope.bound for scope in self._scopes)

    # Errors and messages

    def _is_message(self, call: ast.Call) -> bool:
        """Return whether a call whose value is unused only writes to a log or a terminal."""
        reference = self._resolve_node(call.func)
        if reference is not None and (reference.is_silent or reference.is_logger):
            return True
        called = self._called(call)
        if called.startswith("logging."):
            return True
        files = [keyword.value for keyword in call.keywords if keyword.arg == "file"]
        return called in _DISPLAY and all(self._is_stream(file) for file in files)

    def _is_stream(self, node: ast.expr) -> bool:
        reference = self._resolve_node(node)
        return reference is not None and reference.text in _STREAMS

    def _effects_in(self, call: ast.Call) -> None:
        """Write those parts of a message's arguments that may have effects."""
        pending: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
        while pending:
            node = pending.pop(0)
            if isinstance(node, _EFFECTS):
                self._visit(node)
            else:
                pending[:0] = ast.iter_child_nodes(node)

    def _visit_call(self, node: ast.Call) -> None:
        reference = self._resolve_node(node.func)
        if reference is not None and reference.error:
            self._error(node, reference.error == "message")
            return
        if self._called(node) in _PROGRESS:
            shown = [keyword for keyword in node.keywords if keyword.arg != "iterable"]
            used = [keyword for keyword in node.keywords if keyword.arg == "iterable"]
            self._fields(ast.Call(func=node.func, args=node.args[:1], keywords=used))
            self._effects_in(ast.Call(func=node.func, args=node.args[1:], keywords=shown))
            return
        self._fields(node)

    def _error(self, call: ast.Call, only_message: bool) -> None:
        """Write an error without its message, and without arguments if they are only a message."""
        self._visit(call.func)
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        for value in [] if only_message else values:
            if not isinstance(value, ast.JoinedStr) and not (
                isinstance(value, ast.Constant) and isinstance(value.value, str)
            ):
                self._visit(value)

    def _visit_raise(self, node: ast.Raise) -> None:
        self._parts.append("(Raise ")
        if isinstance(node.exc, ast.Call):
            called = self._called(node.exc)
            own = hasattr(builtins, called) and called not in _CARRY_VALUES
            reference = self._resolve_node(node.exc.func)
            plain = reference is not None and reference.error == "message"
            self._error(node.exc, own or plain)
        elif node.exc is not None:
            self._visit(node.exc)
        if node.cause is not None:
            self._parts.append(" from ")
            self._visit(node.cause)
        self._parts.append(")")

    def _visit_assert(self, node: ast.Assert) -> None:
        self._fields(node, ("msg",))

    # Imports, annotations and scopes

    def _visit_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, dotted in self._module.bind(node):
            if not self._module.is_own(dotted):
                self._parts.append(f"(Import {name} {dotted})")
                self.packages.add(dotted.partition(".")[0])

    def _visit_annotated(self, node: ast.AnnAssign) -> None:
        in_class = self._depth > 0
        self._fields(node, () if in_class else ("annotation",))

    def _visit_class(self, node: ast.ClassDef) -> None:
        self._depth += 1
        self._fields(node)
        self._depth -= 1

    def _visit_function(self, node) -> None:
        decorators = getattr(node, "decorator_list", [])
        arguments = node.args
        parts = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        parts += [part for part in (arguments.vararg, arguments.kwarg) if part is not None]
        shape = [
            [part.arg for part in group]
            for group in (arguments.posonlyargs, arguments.args, arguments.kwonlyargs)
        ]
        rest = [part and part.arg for part in (arguments.vararg, arguments.kwarg)]
        self._parts.append(f"({node.__class__.__name__} {getattr(node, 'name', '')} {shape} {rest}")
        self._all(decorators)
        for value in [*arguments.defaults, *arguments.kw_defaults]:
            self._all([value])
        if decorators:  # they may read the annotations
            annotations = [part.annotation for part in parts] + [node.returns]
            self._all(annotations)
        depth, self._depth = self._depth, 0
        with self._scope(_bindings(node, self._module)):
            if isinstance(node, ast.Lambda):
                self._visit(node.body)
            else:
                self._body(node.body)
        self._depth = depth
        self._parts.append(")")

    def _visit_comprehension(self, node) -> None:
        self._parts.append(f"({node.__class__.__name__}")
        self._visit(node.generators[0].iter)  # evaluated outside
        bound = {name for part in node.generators for name in _stored(part.target)}
        with self._scope(_Scope(bound)):
            for number, part in enumerate(node.generators):
                self._fields(part, ("iter",) if number == 0 else ())
            if isinstance(node, ast.DictComp):
                self._all([node.key, node.value])
            else:
                self._visit(node.elt)
        self._parts.append(")")

    @contextmanager
    def _scope(self, scope: _Scope) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    _visits: ClassVar[dict[type[ast.AST], Callable[..., None]]] = {
        ast.Name: _visit_name,
        ast.Attribute: _visit_attribute,
        ast.Call: _visit_call,
        ast.Raise: _visit_raise,
        ast.Assert: _visit_assert,
        ast.Import: _visit_import,
        ast.ImportFrom: _visit_import,
        ast.AnnAssign: _visit_annotated,
        ast.ClassDef: _visit_class,
        ast.FunctionDef: _visit_function,
        ast.AsyncFunctionDef: _visit_function,
        ast.Lambda: _visit_function,
        ast.ListComp: _visit_comprehension,
        ast.SetComp: _visit_comprehension,
        ast.DictComp: _visit_comprehension,
        ast.GeneratorExp: _visit_comprehension,
    }


def _stored(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


def _bindings(function, module) -> _Scope:
    """Return the names local to a function: by Python's rule, those that it binds anywhere."""
    arguments = function.args
    bound = {
        part.arg
        for part in (
            *arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs,
            arguments.vararg, arguments.kwarg,
        )
        if part is not None
    }  # fmt: skip
    imports: dict[str, str] = {}
    outside, elsewhere = set(), set()
    pending = list(function.body) if isinstance(function.body, list) else [function.body]
    while pending:
        node = pending.pop()
        kind = node.__class__
        if kind is ast.Name:
            if not isinstance(node.ctx, ast.Load):
                bound.add(node.id)
        elif kind in _NO_BINDING:
            continue
        elif kind in _IMPORTS:
            module.merge(imports, module.bind(node))
        elif kind is ast.Global:
            outside.update(node.names)
        elif kind is ast.Nonlocal:
            elsewhere.update(node.names)
        elif kind in _COMPREHENSIONS:
            bound.update(
                inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)
            )
        elif kind in _DEFINITIONS:
            bound.add(node.name)
        else:
            for name in node._fields:
                if name in _VALUES and not module.has_walrus:
                    continue  # an expression binds only by :=
                value = getattr(node, name, None)
                if value.__class__ is list:
                    pending += [inner for inner in value if isinstance(inner, ast.AST)]
                elif isinstance(value, ast.AST):
                    pending.append(value)
                elif isinstance(value, str) and name in ("name", "rest"):
                    bound.add(value)  # of an except clause or a pattern
    return _Scope(bound - elsewhere, imports, outside)
