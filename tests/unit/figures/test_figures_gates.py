"""The charts of the gates: they say what the tables say, and stay readable."""

import numpy as np
import pandas as pd
import pytest
from charts import DIRECTIONS, assert_legible
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from clip_grounding.figures.cascade import draw_cascade
from clip_grounding.figures.gates import draw_gates
from clip_grounding.figures.style import PAGE_HEIGHT, PAGE_WIDTH
from clip_grounding.gates.columns import LIMITS

LAYERS = ["projection", "layer 3", "layer 2", "layer 1", "embeddings"]


def gates_of(methods, directions=DIRECTIONS, layers=LAYERS):
    rows = []
    for direction in directions:
        for method in methods:
            rows += [(direction, method, *own, 0, np.nan, limit) for own, limit in LIMITS.items()]
            rows += [
                (direction, method, "curve", tower, depth, layer, np.nan)
                for tower in ("image tower", "text tower")
                for depth, layer in enumerate(layers, start=1)
            ]
    names = ["direction", "attribution", "gate", "statistic", "depth", "layer", "limit"]
    table = pd.DataFrame(rows, columns=names).assign(model="scenes-clip")
    mean = np.random.default_rng(0).uniform(-0.5, 0.5, len(table))
    table = table.assign(mean=mean, ci_low=mean - 0.1, ci_high=mean + 0.1, bound=mean + 0.08)
    return table.assign(passed=table["bound"] < table["limit"])


def certificates_of(methods, directions=DIRECTIONS):
    rows = [(direction, method) for direction in directions for method in [*methods, "blind"]]
    table = pd.DataFrame(rows, columns=["direction", "attribution"])
    certificates = ["failed"] * (len(methods) - 1) + ["passed", "not applicable"]
    table["certificate"] = certificates * len(directions)
    return table.assign(model="scenes-clip", reason="")


@pytest.mark.parametrize("n_methods", [1, 12])
@pytest.mark.parametrize("directions", [DIRECTIONS, DIRECTIONS[1:]])
def test_no_text_overlaps_and_twelve_methods_fit_a_page(n_methods, directions):
    methods = [f"gradient-attention-{number}" for number in range(n_methods)]
    gates = gates_of(methods, directions)
    for figure in (
        draw_gates(gates, certificates_of(methods, directions)),
        draw_cascade(gates, "scenes-clip", 0.95),
    ):
        assert_legible(figure)
        width, height = figure.get_size_inches()
        assert width <= PAGE_WIDTH
        assert height <= PAGE_HEIGHT


def test_a_deep_tower_has_not_all_of_its_layers_named():
    layers = ["projection", *(f"layer {number}" for number in range(48, 0, -1)), "embeddings"]
    figure = draw_cascade(gates_of(["how"], layers=layers), "scenes-clip", 0.95)
    assert_legible(figure)
    for axes in figure.axes:
        (line,) = (own for own in axes.get_lines() if len(own.get_xdata()) == len(layers) + 1)
        assert line.get_ydata()[0] == 1


def test_the_colours_say_what_is_passed():
    methods = ["one", "other"]
    gates, certificates = gates_of(methods), certificates_of(methods)
    figure = draw_gates(gates, certificates)
    fills = [to_hex(own.get_facecolor()) for own in figure.artists if isinstance(own, Rectangle)]
    green, red = "#cde9dd", "#f3c9b8"
    tested = gates[gates["limit"].notna()]
    assert fills.count(green) == tested["passed"].sum() + 2  # one certificate per direction
    assert fills.count(red) == (~tested["passed"]).sum() + 2
    words = [text.get_text() for text in figure.texts]
    assert words.count("certified") == words.count("not certified") == 2
    assert words.count("not applicable") == 2
