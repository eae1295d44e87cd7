"""Which pseudo-methods the gates let through, and which statistic finds out the others."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from clip_grounding.attribution import load_attribution
from clip_grounding.gates import controls
from clip_grounding.gates.bounds import upper_bounds
from clip_grounding.gates.columns import LIMITS, MEASURED
from clip_grounding.gates.items import list_items
from clip_grounding.gates.jobs import run_gates
from clip_grounding.gates.passes import shift_pixels
from clip_grounding.gates.summary import GATES, summarize_gates
from clip_grounding.models.loading import load_model, load_stock
from clip_grounding.relevance.job import image_to_text_relevance, text_to_image_relevance
from clip_grounding.statistics.bootstrap import Bootstrap, image_sums

CPU = torch.device("cpu")
DIRECTIONS = ["text_to_image", "image_to_text"]


@pytest.fixture(scope="module")
def measure(small, make_explainer):
    """The gates of an attribution function on all small scenes."""

    def measured(attribute, direction, **settings):
        explainer = replace(make_explainer(), attribute=attribute)
        with small.open_images() as images:
            tables = explainer, small.narratives, small.phrases
            if direction == "text_to_image":
                maps = text_to_image_relevance(*tables, images.pixels)
            else:
                maps = image_to_text_relevance(*tables, small.masks, images.pixels)
            relevance = pd.concat(maps)
        settings = {
            "seed": 0,
            "n_models": 2,
            "n_target": 10,
            "n_curve": 2,
            "batch_size": 4,
            **settings,
        }
        return run_gates(
            direction,
            attribute,
            small.checkpoint,
            [small.folder / "images.zip"],
            "scenes",
            small.narratives,
            small.phrases,
            small.masks,
            relevance,
            device="cpu",
            precision="float32",
            threads=1,
            **settings,
        )

    return measured


def gates_of(table, n_methods=1):
    tables = [(("model", f"method-{n}", "text_to_image"), table) for n in range(n_methods)]
    own = summarize_gates(tables, Bootstrap(200, 0.95, 0))
    assert list(own.columns) == GATES.names
    tested = own[(own["gate"] != "curve") & (own["attribution"] == "method-0")]
    return tested.set_index(["gate", "statistic"])


def test_an_edge_detector_fails_by_the_images_it_tells_apart(measure):
    gates = gates_of(measure(controls.edges, "text_to_image"))
    np.testing.assert_allclose(gates.loc[("weights", "R"), "mean"], 1)
    assert gates.loc[("weights", "D"), "mean"] > 0.3
    assert not gates.loc[("weights", "D"), "passed"]
    assert not gates.loc[("target", "mismatched"), "passed"]


def test_a_centre_prior_fails_by_its_correlation_alone(measure):
    gates = gates_of(measure(controls.center, "text_to_image"))
    np.testing.assert_allclose(gates.loc[("weights", "R"), "mean"], 1)
    np.testing.assert_allclose(gates.loc[("weights", "D"), "mean"], 0, atol=1e-12)
    assert not gates.loc[("weights", "R"), "passed"]
    assert gates.loc[("weights", "D"), "passed"]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_method_that_is_new_with_every_model_passes(measure, direction):
    gates = gates_of(measure(controls.random, direction, n_models=5))
    own = gates.loc[["weights", "target"]]
    assert (own["mean"] < own["limit"]).all()
    assert own.loc["target", "passed"].all()
    # Ten scenes are few for the bounds of the weights' statistics; the mean is what it should be.
    assert own.loc["weights", "mean"].abs().max() < 0.15


def test_a_planted_method_that_ignores_the_weights_fails(small, measure):
    """It asks a fixed model that looks like the explained one."""
    clip = load_model(small.checkpoint, CPU)
    method = load_attribution("gradient_attention", layers="all")

    def planted(_, tower, inputs, targets, items):
        own = clip.image if tower.causal is False else clip.text
        return method(clip, own, inputs, targets, items)

    for direction in DIRECTIONS:
        gates = gates_of(measure(planted, direction))
        np.testing.assert_allclose(gates.loc[("weights", "R"), "mean"], 1, atol=1e-6)
        assert not gates.loc[("weights", "R"), "passed"]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_tables_are_complete_and_do_not_depend_on_batches(small, measure, direction):
    method = partial(load_attribution("gradient_attention"), layers="all")
    table = measure(method, direction)
    assert list(table.columns) == MEASURED.names
    again = measure(method, direction, batch_size=3)
    pd.testing.assert_frame_equal(table.drop(columns="value"), again.drop(columns="value"))
    np.testing.assert_allclose(table["value"], again["value"], atol=0.02)
    assert set(table[["gate", "statistic"]].itertuples(index=False, name=None)) == {
        *LIMITS,
        ("curve", "image tower"),
        ("curve", "text tower"),
    }
    assert table["value"].notna().equals(table["excluded"].isna())
    assert table.loc[table["gate"] != "target", "value"].dropna().between(-2, 2).all()
    curve = table[table["gate"] == "curve"]
    assert curve["image_id"].nunique() == 2
    for tower, own in curve.groupby("statistic"):
        layers = own.drop_duplicates("depth").sort_values("depth")["layer"].tolist()
        assert layers[0] == "projection", tower
        assert layers[-1] == "embeddings", tower


def test_the_model_is_as_before_after_its_gates(small, measure):
    before = load_stock(small.checkpoint, CPU).state_dict()
    measure(controls.random, "text_to_image")
    after = load_stock(small.checkpoint, CPU).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_items_have_at_most_three_phrases_with_distinct_prompts(small, make_explainer):
    explainer = make_explainer()
    for direction in DIRECTIONS:
        items = list_items(direction, explainer, small.narratives, small.phrases, 0)
        column = "utterance" if direction == "text_to_image" else "mask"
        for item in items:
            assert 1 <= len(item.phrases) <= 3
            assert item.phrases[column].is_unique
            assert set(item.partners.values()).isdisjoint(
                key for key, partner in item.partners.items() if partner == key
            )


def test_a_shift_moves_every_pixel_by_one():
    pixels = np.arange(2 * 4 * 4).reshape(2, 4, 4)
    moved = shift_pixels(pixels)
    np.testing.assert_array_equal(moved[:, 1:, 1:], pixels[:, :-1, :-1])
    np.testing.assert_array_equal(moved[:, 0, 0], pixels[:, 0, 0])


def test_bounds_of_equal_clusters_are_student_s():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(30, 1)).repeat(3, axis=0)
    images = np.arange(30).repeat(3)
    own = values[::3, 0]
    for level in (0.05, 0.004):
        (bound,) = upper_bounds(*image_sums(values, images), level)
        expected = own.mean() + stats.t.ppf(1 - level, 29) * own.std(ddof=1) / np.sqrt(30)
        np.testing.assert_allclose(bound, expected, rtol=1e-5)


def test_bounds_are_wider_the_more_methods_are_tested(measure):
    table = measure(controls.random, "text_to_image")
    alone, among = gates_of(table), gates_of(table, n_methods=12)
    assert (among["bound"] > alone["bound"]).all()
    np.testing.assert_allclose(among["mean"], alone["mean"])
