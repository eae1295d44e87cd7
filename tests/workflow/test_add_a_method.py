"""docs/add-a-method.md, followed to the letter: its code in a copy of the repository, run.

What is done once, on one shard of a finished run: the method added, its maps and scores made.
"""

import re
import subprocess

import pandas as pd
import pytest
import yaml
from workflows import BIN, ROOT, Run, copy_repository, copy_run, merged

from clip_grounding.tables import read_provenance

pytestmark = pytest.mark.workflow

DOCUMENT = (ROOT / "docs/add-a-method.md").read_text()
CODE = dict(re.findall(r"`(\S+\.py)`:\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL))
MODULE, PLAIN, CASES = CODE
(ENTRY,) = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
METHODS = "workflow_scripts/clip_grounding/attribution"
SUMMARY = "results/tiny/summary.csv"
BY_METHOD = {"compute_relevance", "score_relevance"}


def edit(root, file, old, new):
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))


def add_method(target, *more):
    """A copy of the repository with the document's module."""
    root = copy_repository(target, *more)
    (root / MODULE).write_text(CODE[MODULE])
    return root


def planned_attributions(run, *targets, config=None, root=ROOT):
    """The attributions of which a dry run plans jobs, those of figures included."""
    plan = run.snakemake("--dry-run", *targets, config=config, root=root).stdout
    return set(re.findall(r"^ +wildcards: .*\battribution=([\w.-]+)", plan, re.MULTILINE))


@pytest.fixture
def root(tmp_path):
    return add_method(tmp_path / "clone")


@pytest.fixture(scope="module")
def added(finished, tmp_path_factory) -> Run:
    """The run with the method added, up to the summary."""
    folder = tmp_path_factory.mktemp("added")
    config = merged(finished.config, {**ENTRY, "max_images": 5})
    run = Run(copy_run(finished, folder / "run").folder, config)
    run.snakemake(SUMMARY, root=add_method(folder / "clone"))
    return run


def test_its_maps_and_scores_are_in_the_tables(added):
    path = "results/tiny/{}/random-clip/value-norms/{}/0000.parquet"
    for direction in ("text_to_image", "image_to_text"):
        maps = pd.read_parquet(added / path.format("relevance", direction))
        assert (maps["relevance"].map(min) > 0).all()
        facts = read_provenance(added / path.format("relevance", direction))
        assert facts["attribution"] == {"kind": "value_norms", "attended": True}
    summary = pd.read_csv(added / SUMMARY)
    own = summary[(summary["attribution"] == "value-norms") & (summary["slice"] == "all")]
    means = own.set_index(["direction", "metric", "average", "prompt"])["mean"].unstack()
    assert set(means.index.get_level_values("direction")) == {"text_to_image", "image_to_text"}
    # It is blind to the prompt.
    assert means["matched"].equals(means["unimodal"])


def test_adding_it_runs_its_own_jobs_and_remakes_tables_and_figures(finished, root):
    config = merged(finished.config, ENTRY)
    planned = finished.planned(config=config, root=root)
    assert {planned[rule] for rule in (*BY_METHOD, "score_waterfall")} == {6}
    assert planned_attributions(finished, config=config, root=root) == {"value-norms"}
    others = set(planned) - BY_METHOD - {"score_waterfall"}
    assert all(re.match("plot|build|animate|collect|summ|comp|rank", rule) for rule in others)


def test_taking_it_out_again_makes_no_map_and_no_score(finished, added):
    config = {**finished.config, "max_images": 5}
    planned = added.planned(SUMMARY, config=config)
    assert planned == {"collect_scores": 1, "summarize_scores": 1}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (MODULE, "norm of what", "length of what", set()),  # of the contract's summary
        (MODULE, "parts.norm(dim=-1)", "parts.norm(p=1, dim=-1)", {"value-norms"}),
        (f"{METHODS}/gradient_attention.py", "mean(1)\n", "mean(dim=1)\n", {"gradient-attention"}),
        (f"{METHODS}/rollout.py", "/ 2", "/ 3", set()),
    ],
    ids=["its contract", "its function", "another's function", "an unused one's function"],
)
def test_an_edit_reruns_the_jobs_of_that_method_alone(added, root, file, old, new, expected):
    edit(root, file, old, new)
    assert planned_attributions(added, SUMMARY, root=root) == expected
    planned = added.planned(SUMMARY, root=root)
    assert {rule: planned.get(rule, 0) for rule in BY_METHOD} == dict.fromkeys(
        BY_METHOD, 2 * len(expected)
    )
    assert bool(planned) == bool(expected)


def test_a_parameter_reruns_its_own_jobs(added, root):
    change = {"attributions": {"value-norms": {"attended": False}}}
    config = merged(added.config, change)
    assert planned_attributions(added, SUMMARY, config=config, root=root) == {"value-norms"}


REFUSED = {
    "a key is missing": (
        (MODULE, '    "uses_prompt": False,\n', ""),
        {},
        f"/{MODULE}: CONTRACT: uses_prompt must be given, as a bool: see docs/add-a-method.md",
    ),
    "it is computed": (
        (MODULE, '"default": True', '"default": bool(1)'),
        {},
        f"/{MODULE}: its CONTRACT cannot be read: ",
    ),
    "no function": (
        (MODULE, "def value_norms(", "def norms("),
        {},
        f"/{MODULE}: has no function value_norms: see docs/add-a-method.md",
    ),
    "a direction": (
        (MODULE, '"refuses": {}', '"refuses": {"image_to_text": "words have no values"}'),
        {},
        "attributions.value-norms: value_norms cannot explain image_to_text: words have no values;"
        " write directions: [text_to_image]",
    ),
    "a family of models": (
        (MODULE, '"refuses": {}', '"refuses": {"clip": "it has too many heads"}'),
        {},
        "attributions.value-norms: value_norms cannot explain random-clip, a clip model: it has too"
        " many heads; leave one of the two out",
    ),
    "a parameter's name": (
        None,
        {"atended": False},
        "attributions.value-norms.atended: unknown key; did you mean attended? (known: attended,"
        " directions, kind)",
    ),
    "a parameter's value": (
        None,
        {"attended": "no"},
        'attributions.value-norms.attended: "no" given; allowed: true or false',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_one_clear_error_before_any_job(finished, root, name):
    change, parameters, message = REFUSED[name]
    if change:
        edit(root, *change)
    config = merged(finished.config, ENTRY)
    config["attributions"]["value-norms"] = {"kind": "value_norms", **parameters}
    done = finished.snakemake("--dry-run", config=config, root=root, check=False)
    assert done.returncode != 0
    assert done.stdout.count(message) == 1
    assert done.stdout.count("value_norms") == message.count("value_norms")
    assert "Traceback" not in done.stdout
    assert "Job stats" not in done.stdout


def test_the_check_of_the_document_passes(tmp_path):
    root = add_method(tmp_path / "clone", "tests", "pyproject.toml", "docs")
    with (root / PLAIN).open("a") as file:
        file.write(f"\n\n{CODE[PLAIN]}")
    last = "CASES += [(*method, IMAGE) for method in IMAGES_ALONE]\n"
    edit(root, CASES, last, last + CODE[CASES])
    tests = ["tests/unit/attribution", "tests/unit/workflow/test_contracts.py"]
    for command in (
        ["pytest", "-q", "-p", "no:cacheprovider", "-k", "value_norms", *tests],
        ["ruff", "check", "--no-cache", *CODE],
        ["ruff", "format", "--no-cache", "--check", *CODE],
    ):
        done = subprocess.run(
            [BIN / command[0], *command[1:]], cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
