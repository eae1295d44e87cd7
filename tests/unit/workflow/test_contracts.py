"""What methods say of themselves: read without importing them, complete, and refused if not."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from clip_grounding.attribution import load_attribution
from clip_grounding.errors import InputError
from clip_grounding.workflow.contracts import (
    METHODS,
    attribution_schema,
    list_kinds,
    method_of,
    read_contract,
    why_refused,
)

SOUND = {"summary": "s", "uses_prompt": True, "refuses": {}, "parameters": {}}
FREE = {"passes": 0, "backward": 0}


def write_method(folder, contract):
    path = folder / "mine.py"
    path.write_text(
        f"import a_module_that_is_not_there\nCONTRACT = {contract!r}\ndef mine(): pass\n"
    )
    return read_contract.__wrapped__("mine", folder)


def test_the_methods_are_those_of_the_folder():
    assert "gradient_attention" in list_kinds()
    assert {f"{kind}.py" for kind in list_kinds()} == {
        path.name for path in METHODS.glob("*.py") if not path.name.startswith("_")
    }


@pytest.mark.parametrize("kind", list_kinds())
def test_a_contract_has_the_parameters_of_its_function_with_their_defaults(kind):
    signature = inspect.signature(load_attribution(kind).func)
    own = list(signature.parameters.values())[5:]
    assert [parameter.name for parameter in own] == list(read_contract(kind)["parameters"])
    for parameter in own:
        assert parameter.default == read_contract(kind)["parameters"][parameter.name]["default"]


@pytest.mark.parametrize("kind", list_kinds())
def test_every_parameter_is_described(kind):
    for name, schema in attribution_schema(kind)["properties"].items():
        assert schema["description"], name


def test_contracts_are_read_without_torch():
    program = (
        "import sys; from clip_grounding.workflow.contracts import *;"
        "[read_contract(kind) for kind in list_kinds()]; assert 'torch' not in sys.modules"
    )
    scripts = Path(__file__).parents[3] / "workflow_scripts"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": str(scripts)})


def test_a_contract_is_read_without_running_its_module(tmp_path):
    contract = {**SOUND, "cost": FREE}
    assert write_method(tmp_path, contract) == contract


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost": None}, "cost must be given, as a dict"),
        ({"summary": 3}, "summary must be given, as a str"),
        ({"colour": "red"}, "unknown key colour"),
        ({"refuses": {"video": "no"}}, "video is neither a direction nor a family"),
        ({"parameters": {"n": {"default": 1}}}, "n must have a description and a default"),
        (
            {"parameters": {"n": {"description": "d", "default": 1, "minimum": 0}}},
            "n must say what is allowed: its type, enum or anyOf",
        ),
        ({"cost": {"passes": [], "backward": 0}}, "passes must be a number or the name"),
        ({"cost": {"passes": "n", "backward": 0}}, "passes must be a number or the name"),
        ({"cost": {"passes": 0, "backward": 1}}, "layers must be last, all or the name"),
    ],
)
def test_a_contract_that_lacks_something_is_refused_by_name(tmp_path, change, message):
    with pytest.raises(InputError, match=rf"mine\.py: CONTRACT: .*{message}.*add-a-method"):
        write_method(tmp_path, {**SOUND, "cost": FREE, **change})


def test_a_module_without_a_contract_is_refused_by_name(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"mine\.py: has no CONTRACT"):
        read_contract("mine", tmp_path)


def test_a_module_without_the_function_of_its_name_is_refused(tmp_path):
    contract = {**SOUND, "cost": FREE}
    (tmp_path / "mine.py").write_text(f"CONTRACT = {contract!r}\ndef yours(): pass\n")
    with pytest.raises(InputError, match=r"mine\.py: has no function mine: see docs/add-a-method"):
        read_contract.__wrapped__("mine", tmp_path)


def test_a_contract_that_is_computed_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text("CONTRACT = dict(summary='s')\n")
    with pytest.raises(InputError, match=r"mine\.py: its CONTRACT cannot be read"):
        read_contract("mine", tmp_path)


def test_what_a_method_cannot_explain_is_refused_with_the_reason():
    assert "patches" in why_refused({"kind": "maskclip"}, "image_to_text", "clip")
    assert why_refused({"kind": "maskclip"}, "text_to_image", None) is None


def test_the_directions_of_an_entry_are_no_part_of_its_method():
    entry = {"kind": "rise", "masks": 3, "directions": ["text_to_image"]}
    assert method_of(entry) == {"kind": "rise", "masks": 3}
