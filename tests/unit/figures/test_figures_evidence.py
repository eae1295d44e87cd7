"""The charts of the evidence: they say what the table says, and stay readable."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from charts import DIRECTIONS, TEN, assert_legible

from clip_grounding.evidence.outcomes import OUTCOME_NAMES
from clip_grounding.figures.effects import MEASURES, draw_effects
from clip_grounding.figures.evidence import MOST_NAMED, draw_evidence, place_points
from clip_grounding.figures.outcomes import MOST_ROWS, draw_outcomes, matched_shares
from clip_grounding.figures.removal import draw_removal
from clip_grounding.figures.style import PAGE_HEIGHT, PAGE_WIDTH
from clip_grounding.vocabulary import PROMPTS


def evidence_of(models, attributions=("how",), directions=DIRECTIONS):
    generator = np.random.default_rng(0)
    rows = []
    for direction, model in product(directions, models):
        rows += [
            ("effects", direction, model, "none", prompt, metric)
            for prompt in PROMPTS
            for metric in MEASURES
        ]
        rows.append(("evidence", direction, model, "random", "none", "faithfulness"))
        for attribution, prompt in product(attributions, PROMPTS):
            rows.append(("evidence", direction, model, attribution, prompt, "faithfulness"))
            rows.append(("strict", direction, model, attribution, prompt, "ap"))
    rows += [("strict", direction, "baseline", "random", "none", "ap") for direction in directions]
    names = ["protocol", "direction", "model", "attribution", "prompt", "metric"]
    table = pd.DataFrame(rows, columns=names).assign(slice="all", level="all")
    mean = generator.uniform(0.1, 0.9, len(table))
    return table.assign(mean=mean, ci_low=mean - 0.02, ci_high=mean + 0.03)


@pytest.mark.parametrize(
    ("models", "attributions", "directions"),
    [
        (["b32"], ["how"], DIRECTIONS),
        (["b32"], ["how"], DIRECTIONS[1:]),
        (TEN, ["how"], DIRECTIONS),
        (["b32"], [f"method-{n}" for n in range(12)], DIRECTIONS),
    ],
)
def test_no_text_overlaps_and_ten_models_fit_a_page(models, attributions, directions):
    table = evidence_of(models, attributions, directions)
    for draw in (draw_evidence, draw_effects):
        figure = draw(table, 0.95)
        assert_legible(figure)
        width, height = figure.get_size_inches()
        assert width <= PAGE_WIDTH
        assert height <= PAGE_HEIGHT


def test_points_are_the_matched_means_and_random_maps():
    table = evidence_of(["one", "two"], ["how", "other"], DIRECTIONS[:1])
    points = place_points(table)
    assert len(points) == 6
    assert points["mean_y"].is_monotonic_decreasing
    for point in points.itertuples():
        is_random = point.attribution == "random"
        prompt = "none" if is_random else "matched"
        own = table[(table["attribution"] == point.attribution) & (table["prompt"] == prompt)]
        y = own[(own["model"] == point.model) & (own["metric"] == "faithfulness")].iloc[0]
        model = "baseline" if is_random else point.model
        x = own[(own["model"] == model) & (own["metric"] == "ap")].iloc[0]
        assert (point.mean_x, point.mean_y) == (x["mean"], y["mean"])
        assert (point.ci_low_x, point.ci_high_y) == (x["ci_low"], y["ci_high"])


def test_a_note_says_that_not_all_points_are_named():
    def notes(n):
        figure = draw_evidence(evidence_of(["b32"], [f"m{i}" for i in range(n)]), 0.95)
        return " ".join(text.get_text() for text in figure.texts)

    assert f"the {MOST_NAMED} most faithful" not in notes(MOST_NAMED - 1)  # and the random maps
    assert f"the {MOST_NAMED} most faithful" in notes(MOST_NAMED)


def test_every_dot_of_the_effects_is_a_mean_of_the_table():
    table = evidence_of(["one", "two"])
    figure = draw_effects(table, 0.95)
    drawn = [
        container.lines[0].get_xdata()[0] for axes in figure.axes for container in axes.containers
    ]
    expected = table.loc[table["metric"].isin(MEASURES), "mean"]
    np.testing.assert_allclose(sorted(drawn), sorted(expected))


def outcomes_of(pairs, directions=DIRECTIONS):
    generator = np.random.default_rng(1)
    rows = []
    for direction, (model, attribution) in product(directions, pairs):
        prompt = "none" if attribution == "random" else "matched"
        shares = generator.dirichlet(np.ones(4))
        for outcome, mean in zip(OUTCOME_NAMES.values(), shares, strict=True):
            rows.append((direction, model, attribution, prompt, outcome, mean))
    names = ["direction", "model", "attribution", "prompt", "outcome", "mean"]
    table = pd.DataFrame(rows, columns=names).assign(slice="all", n_phrases=90, n_images=30)
    return table.assign(ci_low=0.9 * table["mean"], ci_high=1.1 * table["mean"])


@pytest.mark.parametrize("count", [1, 12, 200])
def test_outcomes_stack_to_one_and_fit_a_page(count):
    table = outcomes_of([("b32", "random"), *(("b32", f"method-{n}") for n in range(count))])
    figure = draw_outcomes(table, 0.95)
    drawn = min(count + 1, MOST_ROWS)
    for axes in figure.axes:
        assert len(axes.patches) == 4 * drawn
        ends = [bar.get_x() + bar.get_width() for bar in axes.patches[3::4]]
        np.testing.assert_allclose(ends, 1)
    assert figure.get_size_inches()[1] <= PAGE_HEIGHT
    notes = " ".join(text.get_text() for text in figure.texts)
    assert (f"drawn: {drawn} of {count + 1}" in notes) == (count + 1 > MOST_ROWS)
    assert_legible(figure)


def test_those_with_most_grounded_phrases_stand_first():
    rows = matched_shares(outcomes_of([("b32", f"m{n}") for n in range(5)]))
    grounded = rows[rows["outcome"] == "grounded"].groupby("attribution", sort=False)["mean"].mean()
    assert grounded.is_monotonic_decreasing


@pytest.mark.parametrize("directions", [DIRECTIONS, DIRECTIONS[1:]])
def test_removal_curves_are_those_of_the_table(directions):
    generator = np.random.default_rng(2)
    contenders = [("how", prompt) for prompt in PROMPTS] + [("random", "none"), ("other", "none")]
    rows = [
        (direction, "b32", *contender, order, removed, generator.uniform(10, 30))
        for direction, contender, order in product(directions, contenders, ["morf", "lerf"])
        for removed in np.arange(10) / 10
    ]
    names = ["direction", "model", "attribution", "prompt", "order", "removed", "mean"]
    table = pd.DataFrame(rows, columns=names)
    table = table.assign(ci_low=table["mean"] - 1, ci_high=table["mean"] + 1)
    figure = draw_removal(table, "b32", "how", 0.95)
    lines = [line.get_ydata() for axes in figure.axes for line in axes.lines]
    expected = table[table["attribution"] != "other"]["mean"]
    np.testing.assert_allclose(sorted(np.concatenate(lines)), sorted(expected))
    assert_legible(figure)
