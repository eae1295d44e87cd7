"""docs/add-a-baseline.md, followed to the letter: its file in a copy of the repository, run."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from workflows import ROOT, Run, copy_repository, copy_run, merged

pytestmark = pytest.mark.workflow

DOCUMENT = (ROOT / "docs/add-a-baseline.md").read_text()
((FILE, CODE),) = re.findall(r"`(\S+\.py)`:\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
(ENTRY,) = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
TABLES = ["results/tiny/summary.csv", "results/tiny/figures/scores.png"]
GROUND = "results/tiny/scores/baseline/ground/text_to_image/{}.parquet"


@pytest.fixture
def root(tmp_path):
    return add_baseline(tmp_path / "clone")


def add_baseline(target, old="", new=""):
    """A copy of the repository with the document's baseline, perhaps edited."""
    root = copy_repository(target)
    assert old in CODE
    (root / FILE).write_text(CODE.replace(old, new, 1) if old else CODE)
    return root


@pytest.fixture(scope="module")
def added(finished, tmp_path_factory) -> Run:
    """The run with the baseline added, up to a table and a figure."""
    folder = tmp_path_factory.mktemp("baseline")
    run = Run(copy_run(finished, folder / "run").folder, merged(finished.config, ENTRY))
    run.snakemake(*TABLES, root=add_baseline(folder / "clone"))
    return run


def test_it_is_in_the_table(added):
    summary = pd.read_csv(added / TABLES[0])
    own = summary[(summary["attribution"] == "ground") & (summary["slice"] == "all")]
    assert set(own["direction"]) == {"text_to_image"}
    assert set(own["model"]) == {"baseline"}
    assert own["mean"].notna().all()
    first = pd.read_parquet(added / GROUND.format("0000"))
    center = pd.read_parquet(added / GROUND.replace("ground", "center").format("0000"))
    assert np.array_equal(first["chance"], center["chance"])
    assert not np.array_equal(first["ap"], center["ap"])


def test_adding_it_scores_it_alone_and_makes_no_map(finished, root):
    config = merged(finished.config, ENTRY)
    planned = finished.planned(config=config, root=root)
    scores = {rule: jobs for rule, jobs in planned.items() if re.match("score|compute", rule)}
    assert scores == {"score_baseline": 3}
    others = set(planned) - {"score_baseline"}
    assert all(re.match("plot|build|collect|summ|comp|rank", rule) for rule in others)
    output = finished.snakemake("--dry-run", config=config, root=root).stdout
    scored = re.findall(r"rule score_baseline:.*?wildcards: (.*?)\n", output, re.DOTALL)
    assert all("attribution=ground" in wildcards for wildcards in scored)


def test_a_file_that_is_not_evaluated_reruns_nothing(finished, root):
    assert finished.planned(root=root) == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("0, 1, rows", "0, 2, rows", {"score_baseline", "collect_scores", "summarize_scores"}),
        ("bottom of the image", "ground", set()),
    ],
    ids=["its function", "its label"],
)
def test_an_edit_reruns_what_it_changes(added, tmp_path, old, new, expected):
    root = add_baseline(tmp_path / "clone", old, new)
    planned = added.planned(*TABLES, root=root)
    assert set(planned) == {*expected, "plot_scores"}
    assert planned.get("score_baseline", 3) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('    "order": 4,\n', "", "CONTRACT: order must be given, as a whole number"),
        ('"#CC79A7"', '"pink"', "CONTRACT: color: pink is not written as #RRGGBB"),
        ("def map_image", "def map_pixels", "has no function map_image"),
        ('"text_to_image"', '"sound_to_image"', "CONTRACT: directions: give some of"),
    ],
)
def test_a_wrong_contract_is_refused_before_any_job(finished, tmp_path, old, new, message):
    root = add_baseline(tmp_path / "clone", old, new)
    done = finished.snakemake("--dry-run", root=root, check=False)
    assert done.returncode != 0
    assert f"ground.py: {message}" in done.stdout
    assert "see docs/add-a-baseline.md" in done.stdout
    assert "Traceback" not in done.stdout
