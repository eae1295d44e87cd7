"""A family is a file and its lines in `families`: MetaCLIP 2 becomes one of its own in a copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from saved_models import save_model

from clip_grounding.workflow.fingerprint import describe

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"
MODELS = "clip_grounding/models"
FAMILY = '''"""MetaCLIP 2, as a family of its own."""

from dataclasses import replace

from clip_grounding.models.clip import CLIP, open_clip, prepare_clip

METACLIP = replace(CLIP, model_types=("metaclip_2",))


def prepare_metaclip(tokenizer, folder):
    return prepare_clip(tokenizer, folder)


def open_metaclip(model, end_of_text, padding):
    return open_clip(model, end_of_text, padding)
'''
LINES = [
    ('FAMILIES = {"clip": CLIP', 'FAMILIES = {"metaclip": METACLIP, "clip": CLIP'),
    ('TOKENIZERS = {"clip"', 'TOKENIZERS = {"metaclip": prepare_metaclip, "clip"'),
    ('ADAPTERS = {"clip"', 'ADAPTERS = {"metaclip": open_metaclip, "clip"'),
]
IMPORT = "from clip_grounding.models.metaclip import METACLIP, open_metaclip, prepare_metaclip\n"
LOAD = """
import sys, torch
from clip_grounding.models.config import read_model_config
from clip_grounding.models.loading import load_model
from clip_grounding.models.preprocessing import ImagePreprocessor
load_model(sys.argv[1], torch.device("cpu"))  # compares its embeddings with the stock model's
ImagePreprocessor(sys.argv[1])
print(read_model_config(sys.argv[1]).family)
"""
REFUSE = """
from clip_grounding.workflow import contracts
print(contracts._find_problem(
    {**contracts.read_contract("rollout"), "refuses": {"metaclip": "why"}}
))
"""


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """A copy of the library that knows no MetaCLIP 2."""
    scripts = tmp_path_factory.mktemp("family") / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    edit(scripts / MODELS / "clip.py", '("clip", "metaclip_2")', '("clip",)')
    return scripts


@pytest.fixture(scope="module")
def added(without, tmp_path_factory):
    scripts = tmp_path_factory.mktemp("added") / "scripts"
    shutil.copytree(without, scripts)
    (scripts / MODELS / "metaclip.py").write_text(FAMILY)
    registry = scripts / MODELS / "families.py"
    for old, new in LINES:
        edit(registry, old, new)
    edit(
        registry,
        "from clip_grounding.models.siglip",
        f"{IMPORT}from clip_grounding.models.siglip",
    )
    return scripts


@pytest.fixture(scope="module")
def checkpoint(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("metaclip") / "checkpoint"
    return save_model("metaclip_2", folder, small.narratives["text"]).folder


def run(scripts, program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={"PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_checkpoints_are_opened(without, added, checkpoint):
    before = run(without, LOAD, checkpoint)
    assert "a metaclip_2 model (model_type) is not supported" in before.stderr
    done = run(added, LOAD, checkpoint)
    assert done.stdout.strip() == "metaclip", done.stderr


def test_methods_can_refuse_it(without, added):
    assert "metaclip is neither a direction nor a family" in run(without, REFUSE).stdout
    assert run(added, REFUSE).stdout.strip() == "None"


def test_the_code_of_maps_holds_its_adapter_and_that_of_scores_its_tokenizer_alone(added):
    module = "clip_grounding.models.metaclip"
    maps = describe(added / "compute_relevance.py")["definitions"]
    assert {f"{module}.open_metaclip", f"{module}.prepare_metaclip"} <= maps.keys()
    scores = describe(added / "score_relevance.py")
    assert f"{module}.prepare_metaclip" in scores["definitions"]
    assert f"{module}.open_metaclip" not in scores["definitions"]
    assert not {"torch", "transformers"} & scores["libraries"].keys()
