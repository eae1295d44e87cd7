"""The charts of the evidence: they say what the table says, and stay readable."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from charts import DIRECTIONS, TEN, boxes_of

from clip_grounding.figures.effects import MEASURES, draw_effects
from clip_grounding.figures.evidence import MOST_NAMED, draw_evidence, place_points
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
        boxes = boxes_of(figure)
        for i, (text, box) in enumerate(boxes):
            assert min(box.x0, box.y0) >= 0, text
            assert box.x1 <= figure.bbox.x1, text
            assert box.y1 <= figure.bbox.y1, text
            for other, beside in boxes[i + 1 :]:
                apart_x = min(box.x1, beside.x1) - max(box.x0, beside.x0)
                apart_y = min(box.y1, beside.y1) - max(box.y0, beside.y0)
                assert apart_x <= 0.5 or apart_y <= 0.5, (text, other)
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
