"""No result is stale, whatever was copied, deleted, touched or restored.

A matrix: what is done to a finished run's files, times what is then asked of it. Each is a dry run.
"""

import os
import shutil
import time

import pytest
from workflows import Run, copy_repository, copy_run, merged

pytestmark = pytest.mark.workflow

MAPS = "results/tiny/relevance/random-clip/gradient-attention/text_to_image"
SCORES = MAPS.replace("relevance", "scores")


def lose_memory(run, finished):
    shutil.rmtree(run / ".snakemake")


def take_anothers_memory(run, finished):
    """Snakemake's records of a run with another seed and other layers."""
    shutil.rmtree(run / ".snakemake")
    shutil.copytree(OTHER["run"] / ".snakemake", run / ".snakemake")


def set_the_clock_ahead(run, finished):
    ahead = time.time() + 10 * 24 * 3600
    for path in [*(run / "results").rglob("*"), *(run / "data").rglob("*")]:
        if path.is_file():
            os.utime(path, (ahead + hash(path.name) % 100, ahead), follow_symlinks=False)


def copy_without_times(run, finished):
    for name in ("results", "data"):
        shutil.rmtree(run / name)
        shutil.copytree(finished / name, run / name, symlinks=True, copy_function=shutil.copyfile)


DISTURBANCES = [lose_memory, take_anothers_memory, set_the_clock_ahead, copy_without_times]

OTHER = {}

CHANGES = {
    "nothing": ({}, {}),
    "the attribution": (
        {"attributions": {"gradient-attention": {"kind": "gradient_attention", "layers": 2}}},
        {"compute_relevance": 6, "score_relevance": 6},
    ),
    "the seed": ({"seed": 5}, {"score_relevance": 6}),
    "max_images": ({"max_images": 7}, {"compute_relevance": 2, "score_relevance": 2}),
}


@pytest.fixture(scope="module")
def other(finished, tmp_path_factory):
    """The same dataset under other settings, as far as its scores."""
    run = copy_run(finished, tmp_path_factory.mktemp("other") / "run")
    config = merged(finished.config, {"seed": 9, **CHANGES["the attribution"][0]})
    OTHER["run"] = Run(run.folder, config)
    OTHER["run"].snakemake("results/tiny/scores.parquet")
    return OTHER["run"]


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("name", CHANGES)
def test_other_settings_are_seen_and_the_same_are_adopted(finished, other, tmp_path, disturb, name):
    run = copy_run(finished, tmp_path / "run")
    disturb(run, finished)
    change, expected = CHANGES[name]
    planned = run.planned(config=merged(finished.config, change))
    assert planned.items() >= expected.items()
    if not expected:
        assert planned == {}


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda function: function.__name__)
def test_an_edit_is_seen(finished, other, tmp_path, disturb):
    run = copy_run(finished, tmp_path / "run")
    disturb(run, finished)
    root = copy_repository(tmp_path / "clone")
    script = root / "workflow_scripts/score_relevance.py"
    script.write_text(script.read_text() + "\nspec = None\n")
    assert run.planned(root=root).get("score_relevance") == 6


def test_weights_that_change_are_seen_without_a_memory(finished, tmp_path):
    run = copy_run(finished, tmp_path / "run")
    lose_memory(run, finished)
    folder = tmp_path / "clip"
    shutil.copytree(finished.config["models"]["random-clip"]["checkpoint"], folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    config = merged(finished.config, {"models": {"random-clip": {"checkpoint": str(folder)}}})
    assert run.planned(config=config).items() >= {"compute_relevance": 6}.items()


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgot"])
@pytest.mark.parametrize("folder", [MAPS, SCORES], ids=["maps", "scores"])
def test_a_shard_in_anothers_place_is_made_again(finished, tmp_path, folder, remembers):
    source, target = f"{folder}/0001.parquet", f"{folder}/0000.parquet"
    run = copy_run(finished, tmp_path / "run")
    status = os.stat(run / target)
    shutil.copyfile(run / source, run / target)
    os.utime(run / target, ns=(status.st_atime_ns, status.st_mtime_ns))
    if not remembers:
        lose_memory(run, finished)
    rule = "compute_relevance" if "relevance" in target else "score_relevance"
    assert run.planned()[rule] == 1


def test_a_shard_of_other_settings_is_made_again(finished, other, tmp_path):
    run = copy_run(finished, tmp_path / "run")
    target = f"{MAPS}/0000.parquet"
    shutil.copy2(other / target, run / target)
    assert run.planned()["compute_relevance"] == 1


def test_scores_of_maps_that_were_put_back_are_made_again(finished, other, tmp_path):
    """Scored from other maps, and then the right maps restored with their old times."""
    run = copy_run(finished, tmp_path / "run")
    target = f"{SCORES}/0000.parquet"
    shutil.copy2(other / target, run / target)
    os.utime(run / target)
    planned = run.planned()
    assert "compute_relevance" not in planned
    assert planned["score_relevance"] == 1


def test_a_run_by_times_alone_stops_at_other_settings(finished, tmp_path):
    run = copy_run(finished, tmp_path / "run")
    by_times = ("--rerun-triggers", "mtime")
    assert "Nothing to be done" in run.snakemake(*by_times).stdout
    config = merged(finished.config, {"seed": 5})
    done = run.snakemake(*by_times, config=config, check=False)
    assert done.returncode == 1
    assert "image_to_text/0000.parquet: setting seed is 5, was 0\n" in done.stdout
    assert "Traceback" not in done.stdout


def test_touching_everything_makes_no_table_of_other_settings_good(finished, tmp_path):
    run = copy_run(finished, tmp_path / "run")
    config = merged(finished.config, {"seed": 5})
    run.snakemake("--touch", config=config)
    assert run.planned(config=config)["score_relevance"] == 6


def test_an_adopted_run_is_known_from_then_on(finished, tmp_path):
    run = copy_run(finished, tmp_path / "run")
    lose_memory(run, finished)
    assert "had no record here" in run.snakemake("--dry-run").stdout
    assert "had no record here" not in run.snakemake("--dry-run").stdout
