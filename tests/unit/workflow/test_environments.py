"""The conda environments and requirements.txt must install the same versions."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PYPI_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def read_pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_there_is_an_environment_per_concern():
    assert [path.stem for path in ENVIRONMENTS] == ["download", "tables", "torch"]


@pytest.mark.parametrize("path", ENVIRONMENTS[1:], ids=lambda path: path.stem)
def test_an_environment_pins_what_the_requirements_pin(path):
    pins = read_pins("constraints.txt") | read_pins("requirements.txt")
    for dependency in yaml.safe_load(path.read_text())["dependencies"]:
        name, version = dependency.split("==")
        assert pins[PYPI_NAMES.get(name, name)] == version, f"{path.name}: {name}"


def test_the_environment_of_downloads_has_no_reason_to_change():
    names = yaml.safe_load((ROOT / "envs/download.yaml").read_text())["dependencies"]
    assert not any("=" in name for name in names)
    assert set(names) <= set(read_pins("requirements.txt"))


def test_requirements_and_constraints_agree():
    constraints = read_pins("constraints.txt")
    for name, version in read_pins("requirements.txt").items():
        assert constraints.get(name, version) == version, name


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_comes_from_conda_forge_alone(path):
    assert yaml.safe_load(path.read_text())["channels"] == ["conda-forge", "nodefaults"]


IMPORTS = """
import ast, json, sys
from pathlib import Path
for path in sys.argv[1:]:
    tree = ast.parse(Path(path).read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(tree, path, "exec"), {})
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def scripts_of(environment):
    """The scripts of the rules that name an environment."""
    return [
        ROOT / "workflow_scripts" / f"{name}.py"
        for path in (ROOT / "rules").glob("*.smk")
        for name in re.findall(
            rf'"\.\./envs/{environment}\.yaml"\s+script:\s+"\.\./workflow_scripts/(\w+)\.py"',
            path.read_text(),
        )
    ]


def test_every_script_has_an_environment():
    scripts = [script for path in ENVIRONMENTS for script in scripts_of(path.stem)]
    rules = sum(path.read_text().count("    script:") for path in (ROOT / "rules").glob("*.smk"))
    assert len(scripts) == rules > 25


@pytest.mark.parametrize("name", ["download", "tables"])
def test_an_environment_has_what_its_scripts_import(name):
    """Of what we name in requirements.txt; the rest comes with those."""
    scripts = [str(path) for path in scripts_of(name)]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *scripts],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {"pil": "pillow", "yaml": "pyyaml"}
    imported = {modules.get(name.lower(), name.lower()) for name in json.loads(done.stdout)}
    named = {
        PYPI_NAMES.get(line.partition("=")[0], line.partition("=")[0])
        for line in (yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())["dependencies"])
    }
    assert imported & set(read_pins("requirements.txt")) <= named


def test_what_we_import_is_required():
    imports = {
        name
        for path in (ROOT / "workflow_scripts").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in imported_by(node)
    }
    pypi = {"PIL": "pillow", "yaml": "pyyaml"}
    needed = {pypi.get(name, name) for name in imports - sys.stdlib_module_names - {"__main__"}}
    assert needed - {"clip_grounding"} <= set(read_pins("requirements.txt"))


def imported_by(node):
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module.partition(".")[0]]
    return []
