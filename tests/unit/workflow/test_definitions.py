"""Names are followed as Python binds them, and no way to a definition is left out."""

import ast
import importlib.util
import symtable
from pathlib import Path

import pytest
from studies.reachability import SCRIPTS, House, compare, job_scripts

from clip_grounding.scoring.baselines import list_baselines
from clip_grounding.workflow.contracts import METHODS, list_kinds
from clip_grounding.workflow.definitions import Library, Module, Reference
from clip_grounding.workflow.fingerprint import describe
from clip_grounding.workflow.normal_form import Reader

STANDARD = ["argparse", "dataclasses", "difflib", "inspect", "statistics", "tarfile", "typing"]


class Open(Module):
    """A module that holds whatever a name asks for."""

    def resolve(self, name, attributes):
        return Reference(f"@{name}", [name])

    def resolve_import(self, dotted, attributes):
        return Reference(dotted)


class Plain(ast.NodeTransformer):
    """Take out what a reader leaves out on purpose: both sides then read the same."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        return ast.copy_location(ast.Assign([node.target], node.value or ast.Constant(0)), node)

    def visit_Raise(self, node):
        return ast.Pass()

    def visit_Assert(self, node):
        return self.generic_visit(ast.Expr(node.test))

    def visit_Expr(self, node):
        called = getattr(getattr(node.value, "func", None), "id", None)
        return ast.Pass() if called == "print" else self.generic_visit(node)


def global_names(table):
    """Names that a scope and those in it take from the module; and those that classes bind."""
    names, bound = set(), set()
    for symbol in table.get_symbols():
        if table.get_type() == "class" and symbol.is_assigned():
            bound.add(symbol.get_name())
        of_module = table.get_type() == "module" or symbol.is_global()
        if of_module and (symbol.is_referenced() or symbol.is_declared_global()):
            names.add(symbol.get_name())
    for child in table.get_children():
        inner, more = global_names(child)
        names, bound = names | inner, bound | more
    return names, bound


@pytest.mark.parametrize("name", STANDARD)
def test_names_are_local_or_global_as_the_compiler_says(name, tmp_path):
    source = Path(importlib.util.find_spec(name).origin).read_text()
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    count = 0
    for statement in Plain().visit(tree).body:
        plain = ast.unparse(ast.fix_missing_locations(statement))
        path = tmp_path / "plain.py"
        path.write_text(plain)
        module = Open(Library(tmp_path), "plain", path)
        wanted, bound = global_names(symtable.symtable(plain, "plain", "exec"))
        found = set(Reader(module, ast.parse(plain).body).names)
        assert wanted <= found, statement.name
        assert found - wanted <= bound, statement.name
        count += len(wanted)
    assert count > 50


def test_what_scripts_cannot_reach_is_at_most_two_percent_of_their_fingerprints():
    house = House()
    parts = [compare(script, house) for script in job_scripts()]
    counted, out_of_reach = (sum(len(part[i]) for part in parts) for i in (0, 1))
    assert counted > 1000
    assert out_of_reach <= 0.02 * counted


# Definitions that scripts name, and only in an error's words or a message.
IN_WORDS = {
    "clip_grounding.models.checkpoints._CONVERSION",
    "clip_grounding.models.config._HINTS",
    "clip_grounding.models.families.list_model_types",
    "clip_grounding.downloads.answers.WEB_PAGE",
    "clip_grounding.downloads.answers._status",
    "clip_grounding.downloads.answers.describe_cause",
    "clip_grounding.datasets.records._KINDS",
    "clip_grounding.datasets.records._show",
    "clip_grounding.downloads.urls.hide_secrets",
    "clip_grounding.models.checks._describe",
    "clip_grounding.models.checks._times",
    "clip_grounding.models.checks.missing_message",
    "clip_grounding.models.checks.unused_message",
    # Only stamps, which no output depends on, ask for digests.
    "clip_grounding.files._read_digests",
    "clip_grounding.files.digest_file",
    "clip_grounding.files.digest_files",
    # And whether a table was changed since it was written.
    "clip_grounding.tables._UNREADABLE",
    "clip_grounding.tables._damaged",
    "clip_grounding.tables._difference",
    "clip_grounding.tables.check_contents",
    "clip_grounding.published.run._kind",
}


def test_what_scripts_reach_is_in_their_fingerprints_but_for_words():
    house, library, lacking = House(), Library(SCRIPTS), set()
    for script in job_scripts():
        lacking |= compare(script, house)[2]
    silent = {
        name
        for name in lacking
        if library.module(name.rpartition(".")[0]).is_silent or name.endswith("__version__")
    }
    assert {name.split(".")[1] for name in silent} == {
        "__version__",
        "errors",
        "footers",
        "logs",
        "relevance",
        "workflow",
    }
    assert lacking - silent <= IN_WORDS


@pytest.mark.parametrize("kind", list_kinds())
def test_every_attribution_is_followed_from_its_root(kind):
    module = f"clip_grounding.attribution.{kind}"
    definitions = describe(SCRIPTS / "compute_relevance.py", (module,))["definitions"]
    functions = {
        f"{module}.{node.name}"
        for node in ast.parse((METHODS / f"{kind}.py").read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert f"{module}.{kind}" in functions <= definitions.keys()
    assert f"{module}.CONTRACT" not in definitions
    others = {f"clip_grounding.attribution.{other}" for other in list_kinds()} - {module}
    assert not {name.rpartition(".")[0] for name in definitions} & others


@pytest.mark.parametrize("kind", list_baselines())
def test_every_baseline_is_followed_from_its_root_and_its_looks_by_figures(kind):
    module = f"clip_grounding.scoring.baselines.{kind}"
    scored = describe(SCRIPTS / "score_baseline.py", (module,))["definitions"]
    assert f"{module}.map_image" in scored
    assert f"{module}.CONTRACT" not in scored
    others = {f"clip_grounding.scoring.baselines.{other}" for other in list_baselines()} - {module}
    assert not {name.rpartition(".")[0] for name in scored} & others
    drawn = describe(SCRIPTS / "plot_chart.py", (f"{module}.CONTRACT",))["definitions"]
    assert f"{module}.CONTRACT" in drawn


def test_every_model_family_is_followed():
    for script in ("compute_relevance.py",):
        definitions = describe(SCRIPTS / script)["definitions"]
        assert "clip_grounding.models.clip.open_clip" in definitions
        assert "clip_grounding.models.siglip.open_siglip" in definitions


DYNAMIC = {
    "importlib", "import_module", "__import__", "exec", "eval", "globals", "vars", "__dict__",
    "__subclasses__", "__init_subclass__", "modules", "runpy", "entry_points", "pickle",
}  # fmt: skip
# Where the library finds code by a name that is made at run time, and how it is followed.
FOLLOWED = {
    "attribution/__init__.py: import_module": "rules name the attribution's module as a root",
    "attribution/__init__.py: getattr(module)": "the same",
    "converters/__init__.py: import_module": "rules name the kind's module as a root",
    "converters/__init__.py: importlib": "see import_module",
    "scoring/baselines/__init__.py: import_module": "rules name the baseline's module as a root",
    "scoring/baselines/__init__.py: importlib": "see import_module",
    "models/loading.py: getattr(torch)": "precision: a constant of torch's",
    "models/towers.py: getattr(clip)": "a field of an object, whose class counts whole",
    "models/preprocessing.py: getattr(transformers)": "a class of transformers, by its version",
    "models/preprocessing.py: getattr(self._process)": "a setting of such an object",
    "gallery/evidence.py: getattr(row)": "a column of a table",
    "workflow/fingerprint.py: importlib": "versions of packages",
    "tables.py: importlib": "versions of packages",
    "attribution/__init__.py: importlib": "see import_module",
}
# They run in no job.
OUTSIDE_JOBS = {"fingerprint.py", "definitions.py", "normal_form.py", "changes.py"}


def _dynamic(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
            if not isinstance(node.args[1], ast.Constant):
                yield f"getattr({ast.unparse(node.args[0])})"
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            method = isinstance(node, ast.Attribute) and name in ("eval", "exec")
            if name in DYNAMIC and not method:
                yield name
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in DYNAMIC:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in DYNAMIC)


def test_nothing_is_found_at_run_time_that_is_not_followed():
    """A new place belongs into `FOLLOWED` once a rule names the roots that it leads to."""
    library = SCRIPTS / "clip_grounding"
    found = {
        f"{path.relative_to(library).as_posix()}: {name}"
        for path in library.rglob("*.py")
        if path.name not in OUTSIDE_JOBS or path.name == "fingerprint.py"
        for name in _dynamic(path)
    }
    assert found == FOLLOWED.keys()
    for script in job_scripts():
        if script.name != "plot_chart.py":  # its rules name the chart's function as a root
            assert not list(_dynamic(script)), script


def test_every_mark_of_a_module_without_output_is_seen():
    library = Library(SCRIPTS)
    for path in (SCRIPTS / "clip_grounding").rglob("*.py"):
        name = path.relative_to(SCRIPTS).with_suffix("").as_posix().replace("/", ".")
        marked = "\nAFFECTS_OUTPUT = False\n" in path.read_text()
        module = library.module(name.removesuffix(".__init__"))
        assert module.is_silent == marked, name
