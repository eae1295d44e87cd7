"""Charts of a hundred contenders, of one, and of contenders that lack a direction."""

import numpy as np
import pandas as pd
import pytest
from charts import (
    BOOTSTRAP,
    DIRECTIONS,
    HOW,
    TEN,
    assert_legible,
    boxes_of,
    costs_of,
    curves_of,
    draw_all,
    only,
    scores_of,
    summary_of,
    waterfall_of,
)

from clip_grounding.figures.area import draw_area
from clip_grounding.figures.bars import draw_scores
from clip_grounding.figures.cost import MOST_NAMED, UNKNOWN, choose_named, draw_cost
from clip_grounding.figures.differences import draw_differences
from clip_grounding.figures.heatmap import draw_heatmap, sort_names
from clip_grounding.figures.selection import MOST_PAIRS, keep_best
from clip_grounding.figures.slices import draw_slices
from clip_grounding.figures.style import PAGE_HEIGHT, PAGE_WIDTH
from clip_grounding.figures.thresholds import draw_thresholds
from clip_grounding.figures.waterfall import draw_waterfall
from clip_grounding.statistics.areas import average_by_area
from clip_grounding.statistics.comparisons import compare
from clip_grounding.statistics.curves import average_curves
from clip_grounding.statistics.rankings import rank_contenders

MANY = [f"gradient-attention-of-{layers}-layers" for layers in range(10)]


def rankings_of(models, attributions, absent=(), seed=0):
    """A ranking of made-up means, without the (direction, model, attribution) in `absent`."""
    generator = np.random.default_rng(seed)
    keys = [(d, m, a) for d in DIRECTIONS for m in models for a in attributions]
    rows = pd.DataFrame(keys, columns=["direction", "model", "attribution"])
    rows["mean"] = 0.2 + 0.5 * generator.random(len(rows))
    rows = rows[[key not in absent for key in keys]]
    rank = rows.groupby("direction")["mean"].rank(ascending=False).astype(int)
    return rows.assign(
        protocol="strict", metric="ap", rank=rank, tie_group=1 + (rank - 1) // 3,
        ci_low=rows["mean"] - 0.004, ci_high=rows["mean"] + 0.006, n_phrases=9, n_images=5,
    )  # fmt: skip


def costly(rankings, seed=0):
    generator = np.random.default_rng(seed)
    return rankings.assign(
        prompt="matched", slice="all", level="all", average="phrase",
        seconds_per_map=10 ** generator.uniform(-2, 1, len(rankings)), peak_mb=1234.0,
        processor="cpu", device="Xeon", threads=4.0, peak_gpu_mb=np.nan,
    )  # fmt: skip


def texts(figure):
    return [text for text, _ in boxes_of(figure)]


SIZES = {
    "one": (["b32"], [HOW]),
    "six": (["openai-vit-b32", "openai-vit-b16", "openai-vit-l14"], [HOW, "rollout"]),
    "hundred": (TEN, MANY),
    "very long names": ([name * 4 for name in TEN], [name * 3 for name in MANY]),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("draw", [draw_heatmap, lambda rows, _: draw_cost(costly(rows), 0.95)])
def test_from_one_to_a_hundred_contenders_everything_can_be_read(size, draw):
    models, attributions = SIZES[size]
    absent = {("image_to_text", model, attributions[-1]) for model in models[1:]}
    figure = draw(rankings_of(models, attributions, absent), 0.95)
    assert_legible(figure)
    width, height = figure.get_size_inches()
    assert width <= PAGE_WIDTH
    assert height <= PAGE_HEIGHT


# The heat map.


def test_the_best_model_is_left_and_the_best_attribution_on_top():
    rankings = rankings_of(["b32", "b16", "l14"], ["x", "y"])
    for axes, direction in zip(draw_heatmap(rankings, 0.95).axes, DIRECTIONS, strict=True):
        own = rankings[rankings["direction"] == direction]
        means = own.pivot(index="attribution", columns="model", values="mean")
        rows, columns = (means.mean(axis=k).sort_values(ascending=False).index for k in (1, 0))
        assert [label.get_text() for label in axes.get_xticklabels()] == list(columns)
        assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)
        printed = [text.get_text() for text in axes.texts]
        expected = means.loc[rows, columns].to_numpy().ravel()
        assert printed[::2] == [f"{mean:.3f}" for mean in expected]
        assert printed[1::2] == [f"{x - 0.004:.3f}–{x + 0.006:.3f}" for x in expected]


def test_a_frame_marks_the_first_group_and_hatches_what_is_not_there():
    rankings = rankings_of(["b32", "b16"], ["x", "y"], {("text_to_image", "b16", "y")})
    figure = draw_heatmap(rankings, 0.95)
    for axes, n_cells in zip(figure.axes, (3, 4), strict=True):
        hatched = [patch for patch in axes.patches if patch.get_hatch()]
        framed = [p for p in axes.patches if not p.get_fill() or p.get_facecolor()[3] == 0]
        bold = [text for text in axes.texts if text.get_fontweight() == "bold"]
        assert len(hatched) == 4 - n_cells
        assert len(framed) == len(bold) == 3
    whole = draw_heatmap(rankings_of(["b32"], ["x"]), 0.95)
    assert "no scored maps in this direction" in texts(figure)
    assert "no scored maps in this direction" not in texts(whole)


def test_darker_is_better():
    rankings = rankings_of(TEN[:3], ["x", "y"])
    (axes, _) = draw_heatmap(rankings, 0.95).axes
    cells = [p for p in axes.patches if p.get_facecolor()[3] == 1 and not p.get_hatch()]
    printed = [float(text.get_text()) for text in axes.texts[::2]]
    lightness = [sum(cell.get_facecolor()[:3]) for cell in cells]
    assert list(np.argsort(printed)) == list(np.argsort(lightness)[::-1])


def test_equal_means_are_sorted_by_name():
    rows = pd.DataFrame({"model": ["c", "a", "b"], "mean": [0.5, 0.5, 0.7]})
    assert sort_names(rows, "model") == ["b", "a", "c"]


def test_only_one_direction_has_one_panel():
    rankings = rankings_of(["b32"], ["x", "y"])
    assert len(draw_heatmap(only(rankings, "text_to_image"), 0.95).axes) == 1


# The cost.


def test_points_stand_at_their_cost_and_score():
    rows = costly(rankings_of(["b32", "b16"], ["x", "y"]))
    for axes, direction in zip(draw_cost(rows, 0.95).axes, DIRECTIONS, strict=True):
        drawn = {
            (x, y)
            for line in axes.lines
            if line.get_marker() == "o"
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        }
        own = rows[rows["direction"] == direction]
        assert drawn == set(zip(own["seconds_per_map"], own["mean"], strict=True))
        assert axes.get_xscale() == "log"


def test_of_many_points_those_are_named_that_no_other_beats_in_both():
    rows = costly(rankings_of(TEN, MANY))
    rows = only(rows, "text_to_image").sort_values("seconds_per_map")
    named = choose_named(rows)
    assert 1 <= len(named) <= MOST_NAMED
    for point in named.itertuples():
        cheaper = rows[rows["seconds_per_map"] < point.seconds_per_map]
        assert (cheaper["mean"] < point.mean).all()
    assert named["mean"].max() == rows["mean"].max()
    assert len(choose_named(rows[:MOST_NAMED])) == MOST_NAMED


def test_a_cost_that_is_not_known_is_said_not_drawn():
    rows = costly(rankings_of(["b32", "b16"], ["x", "y"]))
    columns = ["seconds_per_map", "processor", "device", "threads", "peak_mb"]
    rows.loc[rows.index[0], columns] = np.nan
    assert "1 not drawn: cost not known" in texts(draw_cost(rows, 0.95))
    figure = draw_cost(rows.assign(**dict.fromkeys(columns, np.nan)), 0.95)
    assert texts(figure).count(UNKNOWN) == 2
    assert_legible(figure)


def test_times_of_different_devices_are_not_drawn_in_one_chart():
    rows = costly(rankings_of(["b32", "b16", "l14"], ["x"]))
    is_elsewhere = rows["model"] == "b16"
    rows.loc[is_elsewhere, ["processor", "device"]] = "gpu", "H100"
    figure = draw_cost(rows, 0.95)
    assert_legible(figure)
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        own = rows[(rows["direction"] == direction) & ~is_elsewhere]
        drawn = [x for line in axes.lines if line.get_marker() == "o" for x in line.get_xdata()]
        assert sorted(drawn) == sorted(own["seconds_per_map"])
        assert axes.get_xlabel() == "CPU-seconds per map"
    assert texts(figure).count("1 not drawn: timed on another device") == 2
    assert any(text.endswith("on Xeon, jobs of 4 threads") for text in texts(figure))


def test_a_chart_of_a_gpu_says_so_and_has_its_memory():
    gpu = {"processor": "gpu", "device": "H100", "peak_gpu_mb": 5678.0}
    figure = draw_cost(costly(rankings_of(["b32"], ["x"])).assign(**gpu), 0.95)
    assert {axes.get_xlabel() for axes in figure.axes} == {"GPU-seconds per map"}
    assert sum(text.endswith("5,678 MB of the GPU") for text in texts(figure)) == 2


def test_without_a_scored_map_there_are_charts_without_a_panel():
    nothing = costly(rankings_of(["b32"], ["x"]))[:0]
    for figure in (draw_heatmap(nothing, 0.95), draw_cost(nothing, 0.95)):
        assert figure.axes == []
        assert_legible(figure)


# The other charts.


def test_more_contenders_than_there_is_room_for_are_cut_to_the_best_and_a_note_says_so():
    models, attributions = TEN[:5], [HOW, *MANY[:4]]
    scores = scores_of(models, 12, attributions)
    summary = summary_of(models, 12, attributions)
    curves = average_curves(curves_of(models, attributions=attributions), BOOTSTRAP)
    figures = {
        "scores": draw_scores(summary, models, attributions, 0.95, protocol="poster"),
        "differences": draw_differences(compare(scores, BOOTSTRAP), models, attributions, 0.95),
        "thresholds": draw_thresholds(curves, summary, 0.95),
    }
    for name, figure in figures.items():
        assert_legible(figure)
        notice = f"the best {MOST_PAIRS} of 25 models with attributions; all: rankings.csv"
        assert notice in texts(figure), name
        assert figure.get_size_inches()[1] <= PAGE_HEIGHT + 1.5, name
    matched = summary[(summary["metric"] == "poster_iou") & (summary["prompt"] == "matched")]
    pooled = matched[(matched["slice"] == "all") & (matched["average"] == "phrase")]
    for _, own in pooled.groupby("direction"):
        best = own.loc[own["mean"].idxmax()]
        assert f"{best['model']}\n{best['attribution']}" in texts(figures["scores"])


def test_up_to_twenty_contenders_are_all_kept():
    rows = rankings_of(TEN, ["x", "y"])
    kept, notice = keep_best(rows, rows["mean"])
    assert len(kept) == len(rows)
    assert notice == ""
    kept, notice = keep_best(
        rankings_of(TEN, ["x", "y", "z"]), rankings_of(TEN, list("xyz"))["mean"]
    )
    assert kept.groupby(["model", "attribution"]).ngroups == MOST_PAIRS
    assert "20 of 30" in notice


@pytest.mark.parametrize("present", DIRECTIONS)
def test_a_contender_of_one_direction_stands_beside_one_of_both(present):
    """Every chart of a run, also where the first pair is the one that lacks a direction."""
    how = [HOW, "one-way"]
    scores = scores_of(["b32"], attributions=how)
    scores = scores[(scores["attribution"] != "one-way") | (scores["direction"] == present)]
    summary = summary_of(["b32"], attributions=how)
    summary = summary[(summary["attribution"] != "one-way") | (summary["direction"] == present)]
    curves = [t for t in curves_of(["b32"], attributions=how)
              if t[0][1] != "one-way" or t[0][2] == present]  # fmt: skip
    rankings = rank_contenders(scores, BOOTSTRAP)
    steps = only(waterfall_of(["b32"]), present)
    figures = [
        draw_scores(summary, ["b32"], how, 0.95, protocol="poster"),
        draw_scores(summary, ["b32"], how, 0.95, protocol="strict"),
        draw_differences(compare(scores, BOOTSTRAP), ["b32"], how, 0.95),
        draw_thresholds(average_curves(curves, BOOTSTRAP), summary, 0.95),
        draw_area(average_by_area(scores, "b32", "one-way", BOOTSTRAP), "b32", "one-way", 0.95),
        draw_slices(summary, "b32", "one-way", 0.95),
        draw_waterfall(steps, "b32", HOW, 0.95),
        draw_heatmap(rankings, 0.95),
        draw_cost(summary, 0.95),
    ]
    for figure in figures:
        assert_legible(figure)


def test_costs_in_the_charts_of_tests_are_as_in_a_summary():
    assert summary_of(["b32"], 12)["seconds_per_map"].notna().any()
    assert set(draw_all(["b32"])) >= {"heatmap", "cost"}
    assert len(costs_of(["b32"])) == 2


def test_the_heat_map_marks_who_is_certified():
    rankings = rankings_of(["model"], MANY[:3])
    states = ["passed", "failed", "not applicable"] * 2
    figure = draw_heatmap(rankings.assign(certificate=states), 0.95)
    assert_legible(figure)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sum(text.endswith(" ✓") for text in texts) == 2
    assert sum(text.endswith(" ×") for text in texts) == 2
    assert any("certificates.csv" in text.get_text() for text in figure.texts)
    unmarked = draw_heatmap(rankings.assign(certificate=None), 0.95)
    assert not any("certificates.csv" in text.get_text() for text in unmarked.texts)
