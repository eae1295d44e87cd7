"""The example of docs/your-data.md, followed to the letter: its file in a copy, run."""

import json
import re

import pandas as pd
import pytest
import yaml
from workflows import ROOT, Run, copy_repository, merged

pytestmark = pytest.mark.workflow

DOCUMENT = (ROOT / "docs/your-data.md").read_text()
((FILE, CODE),) = re.findall(r"`(\S+\.py)`:\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
(ENTRY,) = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
SUMMARY = "results/horizons/summary.csv"


def add_kind(target, old="", new=""):
    root = copy_repository(target)
    assert old in CODE
    (root / FILE).write_text(CODE.replace(old, new, 1) if old else CODE)
    return root


@pytest.fixture(scope="module")
def config(checkpoint):
    settings = {
        "models": {"random-clip": {"checkpoint": str(checkpoint)}},
        "images_per_shard": 6,
        "evaluate": {"directions": ["text_to_image"]},
        "bootstrap": {"resamples": 50},
        "evidence": {"images": 0},
    }
    return merged(merged(settings, ENTRY), {"datasets": {"horizons": {"models": ["random-clip"]}}})


@pytest.fixture(scope="module")
def added(config, tmp_path_factory) -> Run:
    """A run of the dataset, up to the summary."""
    folder = tmp_path_factory.mktemp("kind")
    (folder / "run").mkdir()
    run = Run(folder / "run", config)
    run.snakemake(SUMMARY, root=add_kind(folder / "clone"))
    return run


def test_its_phrases_are_scored(added):
    summary = pd.read_csv(added / SUMMARY)
    own = summary[(summary["model"] == "random-clip") & (summary["slice"] == "all")]
    assert own["mean"].notna().all()
    phrases = pd.read_parquet(added / "results/horizons/phrases.parquet")
    assert phrases["utterance"].value_counts().to_dict() == {"the sky": 6, "the ground": 6}


def test_its_settings_are_its_own(config, tmp_path):
    root = add_kind(tmp_path / "clone")
    wrong = merged(config, {"datasets": {"horizons": {"sed": 1}}})
    run = Run(tmp_path, wrong)
    done = run.snakemake("--dry-run", root=root, check=False)
    assert "datasets.horizons.sed: unknown key; did you mean seed?" in done.stdout
    short = json.loads(json.dumps(config))
    del short["datasets"]["horizons"]["image_count"]
    done = run.snakemake("--dry-run", config=short, root=root, check=False)
    assert "datasets.horizons.image_count: missing" in done.stdout


def test_the_other_datasets_stay_as_they_are(finished, tmp_path):
    root = add_kind(tmp_path / "clone")
    assert finished.planned(root=root) == {}


@pytest.mark.parametrize(
    ("old", "new", "reruns"),
    [("[90, 160, 240]", "[90, 160, 250]", True), ("Pictures.", "The pictures.", False)],
    ids=["its function", "its contract"],
)
def test_an_edit_reruns_the_dataset(added, tmp_path, old, new, reruns):
    planned = added.planned(SUMMARY, root=add_kind(tmp_path / "clone", old, new))
    assert planned.get("render_horizons", 0) == int(reruns)
    assert ("compute_relevance" in planned) == reruns


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def write_dataset", "def write", "has no function write_dataset"),
        ('    "summary": "pictures of sky above ground",\n', "", "CONTRACT: summary must be given"),
        ('{"description": "Pictures.", ', "{", "CONTRACT: parameters: image_count must have"),
    ],
)
def test_a_wrong_contract_is_refused_before_any_job(config, tmp_path, old, new, message):
    root = add_kind(tmp_path / "clone", old, new)
    done = Run(tmp_path, config).snakemake("--dry-run", root=root, check=False)
    assert done.returncode != 0
    assert f"horizons.py: {message}" in done.stdout
    assert "see docs/your-data.md" in done.stdout
    assert "Traceback" not in done.stdout
