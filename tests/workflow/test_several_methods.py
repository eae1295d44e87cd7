"""Two models times three methods, one of which explains images alone: what is in the tables."""

from itertools import combinations

import pandas as pd
import pytest
from builders import save_checkpoint
from workflows import Run, copy_run, merged

pytestmark = pytest.mark.workflow

IMAGE, TEXT = "text_to_image", "image_to_text"
MODELS = ["random-clip", "other"]
METHODS = {IMAGE: ["gradient-attention", "rollout", "maskclip"],
           TEXT: ["gradient-attention", "rollout"]}  # fmt: skip
BASELINES = {IMAGE: ["random", "empty", "center"], TEXT: ["random", "empty"]}


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory) -> Run:
    """The tables of the study, on one shard of a finished run."""
    folder = tmp_path_factory.mktemp("study")
    other = save_checkpoint(folder / "other", ["in this image i can see"], seed=1)
    change = {
        "models": {"other": {"checkpoint": str(other)}},
        "attributions": {
            "rollout": {"kind": "rollout"},
            "maskclip": {"kind": "maskclip", "directions": [IMAGE]},
        },
        "evaluate": {"models": MODELS, "attributions": METHODS[IMAGE]},
        "max_images": 5,
    }
    config = merged(finished.config, change)
    run = Run(copy_run(finished, folder / "run").folder, config)
    run.snakemake("results/tiny/summary.csv", "results/tiny/comparisons.csv")
    return run


def read(study, table):
    return pd.read_csv(study / "results/tiny" / table)


@pytest.mark.parametrize("direction", [IMAGE, TEXT])
def test_the_summary_has_every_model_and_method_that_explains_the_direction(study, direction):
    summary = read(study, "summary.csv")
    own = summary[summary["direction"] == direction]
    expected = {
        (model, method, prompt)
        for model in MODELS
        for method in METHODS[direction]
        for prompt in ("matched", "unimodal", "mismatched")
    }
    expected |= {("baseline", kind, "none") for kind in BASELINES[direction]}
    assert set(zip(own["model"], own["attribution"], own["prompt"], strict=True)) == expected
    assert (own["n_phrases"] > 0).all()


@pytest.mark.parametrize("direction", [IMAGE, TEXT])
def test_every_two_of_them_are_compared_once(study, direction):
    table = read(study, "comparisons.csv")
    own = table[
        (table["direction"] == direction)
        & (table["metric"] == "ap")
        & (table["reference_prompt"] == "matched")
    ]
    found = [
        frozenset([(row.model, row.attribution), (row.reference_model, row.reference_attribution)])
        for row in own.itertuples()
    ]
    contenders = [(model, method) for model in MODELS for method in METHODS[direction]]
    assert len(found) == len(set(found))
    assert set(found) == set(map(frozenset, combinations(contenders, 2)))


def test_a_method_that_is_blind_to_the_prompt_gains_nothing_from_it(study):
    table = read(study, "comparisons.csv")
    own = table[(table["prompt"] == "matched") & (table["reference_prompt"] == "unimodal")]
    blind = own["attribution"] == "rollout"
    assert (own[blind]["difference"] == 0).all()
    assert len(own[blind]) == 12  # two models, two directions, three metrics
    assert (own[~blind]["difference"] != 0).any()


def test_no_job_explains_texts_by_a_method_for_images(study):
    folders = (study / "results/tiny").glob("*/*/maskclip/*")
    assert {folder.name for folder in folders} == {IMAGE}
    assert len(list((study / "results/tiny/relevance").glob("*/maskclip/*/*.parquet"))) == 2
    assert study.planned("results/tiny/summary.csv", "results/tiny/comparisons.csv") == {}
