"""How much of the scripts' fingerprints the scripts cannot reach, measured on byte code.

Python's compiler says which names each function loads; from a script, they are followed through
the library without a look at `clip_grounding.workflow.definitions`. What only an error's words, a
message or an annotation's evaluation names is loaded too, so that the second list, of what is
loaded and not in the fingerprint, is to be read: it should hold nothing else. Run as

    python tests/studies/reachability.py [SCRIPT ...]

with scripts by their names, to list what differs.
"""

import __future__

import dis
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
LIBRARY = "clip_grounding"
NO_JOB = {"why"}

Names = set[tuple[str, ...]]


def compile_file(path: Path) -> CodeType:
    """Compile a file without evaluating its annotations."""
    flags = __future__.annotations.compiler_flag
    return compile(path.read_text(), str(path), "exec", flags, dont_inherit=True)


def instructions(code: CodeType) -> list[dis.Instruction]:
    """Return a code object's instructions, without those that only keep the machine going."""
    idle = {"CACHE", "RESUME", "NOP", "EXTENDED_ARG", "PUSH_NULL", "PRECALL", "COPY", "SWAP"}
    return [step for step in dis.get_instructions(code) if step.opname not in idle]


def loaded(steps: list[dis.Instruction]) -> Iterator[tuple[str, ...]]:
    """Yield global names with the attributes read of them; an import's begin with its module."""
    module, names = None, []
    for step in [*steps, None]:
        kind = step.opname if step else ""
        if kind in ("LOAD_ATTR", "LOAD_METHOD") and names:
            names.append(step.argval)
            continue
        if names:
            yield tuple(names)
            names = []
        if kind in ("LOAD_GLOBAL", "LOAD_NAME"):
            names = [step.argval]
        elif kind == "IMPORT_NAME":
            module = step.argval
        elif kind == "IMPORT_FROM" and module.split(".")[0] == LIBRARY:
            yield ("import", module, step.argval)
        elif step and isinstance(step.argval, CodeType):
            yield from loaded(instructions(step.argval))


def split(code: CodeType) -> tuple[dict[str, Names], dict[str, list[str]], Names]:
    """Return what each definition of a module loads, its imports, and what the rest loads."""
    definitions, imports, rest = {}, {}, set()
    module, pending, stored = None, [], None
    for step in instructions(code):
        stores = step.opname in ("STORE_NAME", "STORE_GLOBAL")
        if stored is not None and not stores:
            pending, stored = [], None
        if step.opname == "IMPORT_NAME":
            module, pending = step.argval, []
            imported = [module]
        elif step.opname == "IMPORT_FROM":
            module = module or ".".join(imported)  # of `import a.b as c`
            imported = [module, step.argval]
        elif stores and module is not None and not pending:
            imports[step.argval] = imported
            module = module if len(imported) == 2 else None  # more names may follow from it
        elif stores:
            definitions.setdefault(step.argval, set()).update(loaded(pending))
            stored = step.argval
        elif step.opname == "POP_TOP":
            if module is None:
                rest.update(loaded(pending))
            module, pending = None, []
        else:
            constant = step.opname in ("LOAD_CONST", "RETURN_VALUE", "UNPACK_SEQUENCE")
            if not constant or isinstance(step.argval, CodeType) or pending:
                module = None if not constant else module
                pending.append(step)
    rest.update(loaded(pending))
    return definitions, imports, rest


class House:
    """The library's modules, compiled as names lead there."""

    def __init__(self, folder: Path = SCRIPTS):
        self.folder, self._modules = folder, {}

    def module(self, name: str):
        if name not in self._modules:
            path = self.folder.joinpath(*name.split("."))
            files = [path / "__init__.py", path.with_suffix(".py")]
            file = next((file for file in files if file.is_file()), None)
            own = name.split(".")[0] == LIBRARY and file
            self._modules[name] = split(compile_file(file)) if own else None
        return self._modules[name]

    def find(self, module: str, names: tuple[str, ...]) -> tuple[str, str] | None:
        """Return the module and name of the definition that a name in a module stands for."""
        while names and (place := self.module(module)) is not None:
            definitions, imports, _ = place
            if names[0] in definitions:
                return module, names[0]
            if names[0] in imports:
                source, *name = imports[names[0]]
                module, names = source if name else "", (*name, *names[1:])
            else:
                module, names = f"{module}.{names[0]}", names[1:]
        return None

    def reach(self, script: Path, roots: tuple[str, ...] = ()) -> set[str]:
        """Return the dotted names of all definitions that a script's byte code leads to."""
        definitions, imports, rest = split(compile_file(script))
        self._modules["script"] = definitions, imports, rest
        pending = [("script", names) for names in rest.union(*definitions.values())]
        for root in roots:
            pending += [(root, (name,)) for name in self.module(root)[0] if name != "CONTRACT"]
        reached = set()
        while pending:
            module, names = pending.pop()
            if names[0] == "import":
                module, names = names[1], names[2:]
            found = self.find(module, names)
            if found is not None and found not in reached:
                reached.add(found)
                pending += [(found[0], more) for more in self.module(found[0])[0][found[1]]]
        own = {".".join(found) for found in reached if found[0] != "script"}
        return {name for name in own if not name.endswith("__doc__")}


def compare(script: Path, house: House) -> tuple[set[str], set[str], set[str]]:
    """Return what a script's fingerprint holds, what of it is out of reach, and what it lacks."""
    from clip_grounding.workflow.fingerprint import describe

    roots = ()
    if script.stem == "compute_relevance":
        roots = (f"{LIBRARY}.attribution.gradient_attention",)
    counted = set(describe(script, roots)["definitions"]) - {script.name}
    reached = house.reach(script, roots)
    return counted, counted - reached, reached - counted


def job_scripts() -> list[Path]:
    """Return the scripts of the workflow's jobs."""
    return [path for path in sorted(SCRIPTS.glob("*.py")) if path.stem not in NO_JOB]


def main() -> None:
    """Print a line per script, and of the named ones what differs."""
    house, sums = House(), [0, 0, 0]
    print(f"{'script':22} counted  out of reach  loaded and not counted")
    for script in job_scripts():
        parts = compare(script, house)
        sums = [total + len(part) for total, part in zip(sums, parts, strict=True)]
        print(f"{script.stem:22} {len(parts[0]):7} {len(parts[1]):13} {len(parts[2]):11}")
        if script.stem in sys.argv[1:]:
            print("  out of reach:", *sorted(parts[1]), "\n  not counted:", *sorted(parts[2]))
    print(f"{'all':22} {sums[0]:7} {sums[1]:13} {sums[2]:11}")
    print(f"out of reach: {sums[1] / sums[0]:.1%}")


if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    main()
