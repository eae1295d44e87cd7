"""The conda environments and requirements.txt must install the same versions."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
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
