"""What reruns when something changes: these jobs and no others.

Dry runs over one finished run, from copies of the repository in which one thing is changed.
docs/incremental.md is the same table in words; a test below compares the two. To bring the
document up to date: UPDATE_DOCUMENTS=1 make test
"""

import os
import re
import shutil

import pytest
from builders import save_checkpoint
from workflows import ROOT, copy_repository, copy_run, merged

from clip_grounding.workflow.changes import explain_plan

pytestmark = pytest.mark.workflow

ALL_FIGURES = {
    "plot_scores", "plot_strict", "plot_differences", "plot_area", "plot_slices",
    "plot_thresholds", "plot_waterfall", "plot_heatmap", "plot_cost", "plot_examples",
    "animate_narrative", "build_gallery",
}  # fmt: skip
PICTURES = {"plot_examples", "animate_narrative"}
SUMMARIES = {
    "collect_scores", "summarize_scores", "summarize_areas", "compare_contenders",
    "rank_contenders",
}  # fmt: skip
STEPS = {"summarize_waterfall", "summarize_curves"}
SCORED = {"score_relevance", "score_baseline", "score_waterfall", *STEPS}
FROM_SCORES = SCORED | SUMMARIES | ALL_FIGURES
FROM_RELEVANCE = {"compute_relevance"} | FROM_SCORES - {"score_baseline"}
FROM_MASKS = FROM_RELEVANCE | {"rasterize_masks", "score_baseline"}
LIBRARY = "workflow_scripts/clip_grounding"


def move_function(root):
    """Move `first_mention` to a file of its own, and import it from there."""
    tokens = root / LIBRARY / "models/tokenizer.py"
    text = tokens.read_text()
    (function,) = re.findall(r"^def first_mention.*?(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL)
    tokens.write_text(text.replace(function, ""))
    (root / LIBRARY / "mentions.py").write_text(f'"""Mentions."""\n\n\n{function}')
    replace_everywhere(
        root,
        "from clip_grounding.models.tokenizer import first_mention",
        "from clip_grounding import mentions",
    )
    replace_everywhere(root, " = first_mention(", " = mentions.first_mention(")


def move_file(root):
    """Move `strict.py` into a new package, under another name."""
    package = root / LIBRARY / "metrics"
    package.mkdir()
    (package / "__init__.py").write_text('"""Metrics."""\n')
    (root / LIBRARY / "scoring/strict.py").rename(package / "native.py")
    replace_everywhere(
        root,
        "from clip_grounding.scoring import poster, strict\n",
        "from clip_grounding.metrics import native as strict\n"
        "from clip_grounding.scoring import poster\n",
    )
    replace_everywhere(
        root,
        "from clip_grounding.scoring import strict\n",
        "from clip_grounding.metrics import native as strict\n",
    )


def replace_everywhere(root, old, new):
    """Replace a text in all files of the library and the scripts; it must be there."""
    files = [path for path in (root / "workflow_scripts").rglob("*.py") if old in path.read_text()]
    assert files, old
    for path in files:
        path.write_text(path.read_text().replace(old, new))


# name in docs/incremental.md: (file, old text, new text) or a function that edits a copy of the
# repository, and the rules that rerun
EDITS = {
    "a comment": ((f"{LIBRARY}/geometry.py", "Not as a matrix product", "No product"), set()),
    "a docstring": ((f"{LIBRARY}/relevance/job.py", "Compute every relevance map", "Make"), set()),
    "the README": (("README.md", "# Does CLIP", "# Would CLIP"), set()),
    "a description in the schema": (
        ("rules/schemas/config.schema.yaml", "description: How often", "description: How many"),
        set(),
    ),
    "the version": ((f"{LIBRARY}/__init__.py", '__version__ = "', '__version__ = "9'), set()),
    "how maps are scored": (
        (f"{LIBRARY}/scoring/strict.py", "if positive > 0 else chance", "if True else chance"),
        FROM_SCORES,
    ),
    "how intervals are computed": (
        (
            f"{LIBRARY}/statistics/bootstrap.py",
            "tail = (1 - confidence) / 2",
            "tail = 0.5 - confidence / 2",
        ),
        {*STEPS, *SUMMARIES, *ALL_FIGURES}
        - {"collect_scores", *PICTURES, "build_gallery"},
    ),
    "a definition that no job uses": (
        (f"{LIBRARY}/datasets/archives.py", "def open_images(", "unused = 1\n\n\ndef open_images("),
        set(),
    ),
    "a function moved to another file": (move_function, set()),
    "a file moved or renamed": (move_file, set()),
    "an error's words": (
        (f"{LIBRARY}/models/config.py", "; both towers are needed", "; it takes both towers"),
        set(),
    ),
    "where the poster finds a phrase in its caption": (
        (f"{LIBRARY}/models/tokenizer.py", "phrase_words[-1]) + 1", "phrase_words[-1]) + 2"),
        FROM_SCORES,
    ),
    "a new column of the masks": (
        (f"{LIBRARY}/tables.py", '("area", pa.int64())', '("area", pa.int64()), ("a", pa.int8())'),
        FROM_MASKS,
    ),
    "a new column of the waterfall": (
        (f"{LIBRARY}/scoring/waterfall.py", '("score", pa', '("a", pa.int8()), ("score", pa'),
        {"score_waterfall", "summarize_waterfall", "plot_waterfall"},
    ),
    "an attribution's module": (
        (f"{LIBRARY}/attribution/gradient_attention.py", "mean(1)\n", "mean(dim=1)\n"),
        FROM_RELEVANCE,
    ),
    "its `CONTRACT`": (
        (f"{LIBRARY}/attribution/gradient_attention.py", "by its gradient", "by a gradient"),
        set(),
    ),
    "the module of an attribution that is not evaluated": (
        (f"{LIBRARY}/attribution/rollout.py", "/ 2", "/ 3"),
        set(),
    ),
    "how images are preprocessed": (
        (f"{LIBRARY}/geometry.py", "max(height, width)", "max(width, height)"),
        FROM_RELEVANCE | {"score_baseline"},
    ),
    "how masks are rasterised": (
        (f"{LIBRARY}/datasets/masks.py", "pixels[rows].sum()", "1 * pixels[rows].sum()"),
        FROM_MASKS,
    ),
    "the look of every figure": (
        (f"{LIBRARY}/figures/style.py", '"font.size": 7', '"font.size": 8'),
        ALL_FIGURES - {"build_gallery"},
    ),
    "the gallery's page": (
        (f"{LIBRARY}/gallery/assets/style.css", "max-width: 100rem", "max-width: 90rem"),
        {"build_gallery"},
    ),
    "the script of one rule": (
        ("workflow_scripts/collect_scores.py", "table.assign(model", "table.copy().assign(model"),
        SUMMARIES | ALL_FIGURES - {"plot_waterfall", *PICTURES},
    ),
    "what is logged": ((f"{LIBRARY}/logs.py", "buffering=1", "buffering=-1"), set()),
    "how files are downloaded": (
        (f"{LIBRARY}/downloads/remote.py", "TIMEOUT = 60", "TIMEOUT = 61"),
        set(),
    ),
}  # fmt: skip

# name in docs/incremental.md: (settings, the rules that rerun)
SETTINGS = {
    "`batch_size`": ({"batch_size": 3}, set()),
    "`device`": ({"device": "cpu"}, set()),
    "numbers written as 5 or 5.0": ({"images_per_shard": 5.0}, set()),
    "a dataset that is not evaluated": (
        {"datasets": {"other": {"kind": "scenes", "models": ["random-clip"]}}},
        set(),
    ),
    "`bootstrap`": (
        {"bootstrap": {"resamples": 201}},
        STEPS | SUMMARIES - {"collect_scores"} | ALL_FIGURES - PICTURES - {"build_gallery"},
    ),
    "`figures: examples`": ({"figures": {"examples": 1}}, PICTURES),
    "`figures: animation`": ({"figures": {"animation": 0}}, {"animate_narrative"}),
    "`gallery`": ({"gallery": {"items": 5}}, {"build_gallery"}),
    "`seed`": (
        {"seed": 5},
        {"score_relevance", "score_baseline", *STEPS} | SUMMARIES | ALL_FIGURES,
    ),
    "`baselines`, one fewer": (
        {"evaluate": {"baselines": ["random", "empty"]}},
        SUMMARIES | ALL_FIGURES - PICTURES,
    ),
    "`directions`, one fewer": (
        {"evaluate": {"directions": ["text_to_image"]}},
        STEPS | SUMMARIES | ALL_FIGURES - {"animate_narrative"},
    ),
    "`layers` of the attribution": (
        {"attributions": {"gradient-attention": {"layers": "all"}}},
        FROM_RELEVANCE,
    ),
    "`max_images`, lower by a shard": (
        {"max_images": 10},
        SUMMARIES | STEPS | ALL_FIGURES - PICTURES,
    ),
    "`images_per_shard`": ({"images_per_shard": 6}, FROM_MASKS),
    "the dataset's `seed`": (
        {"datasets": {"tiny": {"seed": 10}}},
        {"render_scenes", "index_phrases"} | FROM_MASKS,
    ),
}


# a rule's text; those made in a loop are indented, and name themselves below
RULE = re.compile(
    r"^(?P<indent> *)rule(?: (?P<name>\w+))?:\n(?P<body>(?:(?P=indent) +.*\n|\n)*)", re.MULTILINE
)

# the order in which docs/incremental.md names rules: that of the pipeline
ORDER = [
    "render_scenes", "index_phrases", "rasterize_masks", "compute_relevance", "score_relevance",
    "score_baseline", "score_waterfall", "summarize_waterfall", "summarize_curves",
    "collect_scores", "summarize_scores", "summarize_areas", "compare_contenders",
    "rank_contenders", "plot_heatmap", "plot_cost",
    "plot_scores", "plot_strict", "plot_differences", "plot_area", "plot_slices",
    "plot_thresholds", "plot_waterfall",
    "plot_examples", "animate_narrative", "build_gallery",
]  # fmt: skip


@pytest.fixture
def copy(tmp_path):
    """A fresh copy of the repository's files, with new times."""
    return copy_repository(tmp_path / "clone")


def test_a_fresh_clone_over_the_same_results_reruns_nothing(finished, copy):
    assert finished.planned(root=copy) == {}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns_what_it_concerns(finished, copy, name):
    edit, expected = EDITS[name]
    if callable(edit):
        edit(copy)
    else:
        file, old, new = edit
        text = (copy / file).read_text()
        assert old in text
        (copy / file).write_text(text.replace(old, new, 1))
    assert set(finished.planned(root=copy)) == expected


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_reruns_what_it_concerns(finished, name):
    change, expected = SETTINGS[name]
    assert set(finished.planned(config=merged(finished.config, change))) == expected


def test_another_attribution_adds_its_own_jobs_and_the_summaries(finished):
    change = {
        "attributions": {"all-layers": {"kind": "gradient_attention", "layers": "all"}},
        "evaluate": {"attributions": ["gradient-attention", "all-layers"]},
    }
    planned = finished.planned(config=merged(finished.config, change))
    own = {"compute_relevance": 6, "score_relevance": 6, "score_waterfall": 6, "plot_examples": 1,
           "animate_narrative": 1}  # fmt: skip
    assert {rule: planned.get(rule) for rule in own} == own
    assert set(planned) == set(own) | SUMMARIES | STEPS | ALL_FIGURES


def test_another_seed_leaves_alone_what_is_not_drawn(finished):
    baseline = "results/tiny/scores/baseline/{}/text_to_image/0000.parquet"
    config = merged(finished.config, {"seed": 5})
    for name, planned in {"random": {"score_baseline": 1}, "empty": {}, "center": {}}.items():
        assert finished.planned(baseline.format(name), config=config) == planned


def test_two_swapped_values_rerun(finished):
    """Snakemake compares parameters as a set: values that trade places must still be seen."""
    two = {"a": {"kind": "gradient_attention", "layers": 1},
           "b": {"kind": "gradient_attention", "layers": 2}}  # fmt: skip
    config = {**finished.config, "attributions": two, "evaluate": {"attributions": ["a", "b"]}}
    target = "results/tiny/relevance/random-clip/{}/text_to_image/0000.parquet"
    targets = [target.format(name) for name in two]
    finished.snakemake(*targets, config=config)
    assert finished.planned(*targets, config=config) == {}
    swapped = {**config, "attributions": {"a": two["b"], "b": two["a"]}}
    assert finished.planned(*targets, config=swapped) == {"compute_relevance": 2}


VERSIONS = {
    "transformers": {"compute_relevance"},
    "torch": {"compute_relevance"},
    "captum": set(),
}


@pytest.mark.parametrize("package", VERSIONS)
def test_another_minor_version_reruns_the_jobs_that_use_the_package(finished, tmp_path, package):
    """Of transformers: those that run a model, and no table but for what it reads."""
    info = tmp_path / f"{package}-99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    plan = finished.snakemake("--dry-run", environment=environment).stdout
    lines = explain_plan(plan)
    caused = {
        rule
        for line in lines
        if not line.startswith(" ")
        for rule in re.findall(r"(\w+) \(\d+ jobs?\)", line)
    }
    assert caused == VERSIONS[package], lines
    if caused:
        assert lines[0].startswith(f"{package} is 99.0, was ")
        assert "21 rules below" in lines[1]


def test_code_and_settings_are_named_with_what_follows_from_them(finished, copy):
    path = copy / LIBRARY / "models/tokenizer.py"
    path.write_text(path.read_text().replace("phrase_words[-1]) + 1", "phrase_words[-1]) + 2"))
    change = {"attributions": {"gradient-attention": {"layers": "all"}}}
    config = merged(finished.config, change)
    plan = finished.snakemake("--dry-run", root=copy, config=config).stdout
    lines = explain_plan(plan)
    assert set(zip(lines[::2], lines[1::2], strict=True)) == {
        (
            'setting attribution.layers is "all", was "last": compute_relevance (6 jobs)',
            "  and 21 rules below (31 jobs), which read what these make",
        ),
        (
            "code: `first_mention` changed: score_baseline (15 jobs)",
            "  and 14 rules below (14 jobs), which read what these make",
        ),
    }


def test_what_snakemake_has_no_record_of_is_said(finished, tmp_path):
    run = copy_run(finished, tmp_path / "copy")
    shutil.rmtree(run / ".snakemake")
    lines = explain_plan(run.snakemake("--dry-run").stdout)
    assert any("had no record here" in line for line in lines)


def test_every_rule_that_makes_something_names_its_code_and_settings():
    texts = [path.read_text() for path in (ROOT / "rules").glob("*.smk")]
    blocks = [block for text in texts for block in RULE.finditer(text)]
    assert len(blocks) > 25
    for block in blocks:
        rule = block["body"]
        name = block["name"] or re.search(r'name:\s+f?"(.+)"', rule)[1]
        if name == "fetch":  # a target, which makes nothing
            continue
        if name.startswith(("download_", "fetch_", "list_")):
            assert "code=" not in rule, f"{name} would download again after an edit"
        else:
            assert "code=" in rule, name
        assert "spec=" in rule, name


def test_the_documentation_says_the_same():
    path, changes = ROOT / "docs/incremental.md", {**EDITS, **SETTINGS}
    text = path.read_text()
    for name, (_, rules) in changes.items():
        listed = ", ".join(f"`{rule}`" for rule in sorted(rules, key=ORDER.index)) or "nothing"
        row = re.compile(rf"^\| {re.escape(name)} \|.*$", re.MULTILINE)
        assert row.search(text), f"{path}: has no row for {name}"
        text = row.sub(f"| {name} | {listed} |", text)
    if os.environ.get("UPDATE_DOCUMENTS"):
        path.write_text(text)
    assert path.read_text() == text


def test_new_weights_in_the_same_folder_rerun_and_new_times_do_not(finished, tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(finished.config["models"]["random-clip"]["checkpoint"], folder)
    moving = {
        "models": {"moving": {"checkpoint": str(folder)}},
        "datasets": {"tiny": {"models": ["moving"]}},
    }
    config = merged(finished.config, moving)
    target = "results/tiny/relevance/moving/gradient-attention/text_to_image/0000.parquet"
    finished.snakemake(target, config=config)
    for path in folder.iterdir():
        path.touch()
    assert finished.planned(target, config=config) == {}
    save_checkpoint(folder, ["in this image i can see"], seed=7)
    expected = {"fetch_checkpoint": 1, "compute_relevance": 1}
    assert finished.planned(target, config=config) == expected
