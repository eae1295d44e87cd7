"""The charts of the strict protocol: they say what the tables say, and stay readable."""

import numpy as np
import pandas as pd
import pytest
from charts import (
    BOOTSTRAP,
    DIRECTIONS,
    HOW,
    TEN,
    assert_legible,
    chance_lines,
    curves_of,
    draw_all,
    line_of,
    scores_of,
    summary_of,
    waterfall_of,
)
from matplotlib.colors import to_hex

from clip_grounding.figures.area import draw_area
from clip_grounding.figures.bars import draw_scores
from clip_grounding.figures.differences import draw_differences
from clip_grounding.figures.selection import of_model
from clip_grounding.figures.slices import MARKERS, ROWS, draw_slices
from clip_grounding.figures.style import (
    COLORS,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    save_figure,
)
from clip_grounding.figures.thresholds import draw_thresholds
from clip_grounding.figures.waterfall import FINAL, STEPS, draw_waterfall
from clip_grounding.scoring import waterfall as steps_of
from clip_grounding.scoring.strict import LEVELS
from clip_grounding.statistics.areas import EDGES, average_by_area
from clip_grounding.statistics.bootstrap import FEWEST_IMAGES
from clip_grounding.statistics.comparisons import compare
from clip_grounding.statistics.curves import average_curves
from clip_grounding.statistics.slices import SLICES


@pytest.mark.parametrize(
    ("models", "direction", "attributions"),
    [
        (["b32"], None, [HOW]),
        (["b32"], "text_to_image", [HOW]),
        (["b32"], "image_to_text", [HOW]),
        (TEN, None, [HOW]),
        (TEN, None, [HOW, f"{HOW}-all-layers"]),
    ],
)
def test_no_text_overlaps_and_ten_models_fit_a_page(models, direction, attributions):
    for name, figure in draw_all(models, direction, attributions).items():
        assert_legible(figure)
        if attributions == [HOW]:  # twenty contenders may need more
            width, height = figure.get_size_inches()
            assert width <= PAGE_WIDTH, name
            assert height <= PAGE_HEIGHT + 1e-6, name


# Bars.


def test_strict_bars_are_the_pooled_means_of_average_precision():
    summary = summary_of(["b32"])
    figure = draw_scores(summary, ["b32"], [HOW], 0.95, protocol="strict")
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        own = summary[
            (summary["direction"] == direction)
            & (summary["metric"] == "ap")
            & (summary["slice"] == "all")
            & (summary["average"] == "phrase")
        ]
        drawn = {to_hex(bar.get_facecolor()): bar.get_width() for bar in axes.patches}
        expected = {
            COLORS[row.prompt if row.model == "b32" else row.attribution].lower(): row.mean
            for row in own.itertuples()
        }
        assert drawn == pytest.approx(expected)
        assert len(drawn) == (6 if direction == "text_to_image" else 5)


def test_the_chance_line_stands_where_the_bar_of_the_empty_mask_ends():
    figure = draw_scores(summary_of(["b32"]), ["b32"], [HOW], 0.95, protocol="strict")
    for axes in figure.axes:
        (line,) = chance_lines(axes)
        bars = {to_hex(bar.get_facecolor()): bar.get_width() for bar in axes.patches}
        assert line.get_xdata()[0] == pytest.approx(bars[COLORS["empty"]])


def test_the_poster_has_no_chance_line_and_the_strict_scores_no_published_values():
    summary = summary_of(["b32"])
    texts = {}
    for protocol in ("poster", "strict"):
        figure = draw_scores(summary, ["b32"], [HOW], 0.95, protocol=protocol)
        texts[protocol] = {text.get_text() for text in figure.legends[0].get_texts()}
    assert texts["poster"] - texts["strict"] == {"published"}
    assert texts["strict"] - texts["poster"] == {"chance level"}


# Differences.


def test_the_dots_of_the_differences_are_the_comparisons():
    comparisons = compare(scores_of(["b16", "b32"]), BOOTSTRAP)
    figure = draw_differences(comparisons, ["b16", "b32"], [HOW], 0.95)
    rows = comparisons[comparisons["metric"] == "ap"]
    is_baseline = rows["reference_model"] == "baseline"
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        for reference in ("random", "center", "unimodal", "mismatched"):
            names = rows["reference_attribution"].where(is_baseline, rows["reference_prompt"])
            own = rows[(names == reference) & (rows["direction"] == direction)]
            color = COLORS[reference].lower()
            dots = [line for line in axes.lines if to_hex(line.get_color()) == color]
            drawn = sorted((line.get_ydata()[0], line.get_xdata()[0]) for line in dots)
            assert [x for _, x in drawn] == pytest.approx(list(own["difference"]))
            filled = [to_hex(dot.get_markerfacecolor()) == color for dot in dots]
            assert filled == list(own["p_adjusted"] < 0.05)
        printed = [text.get_text().replace("−", "-") for text in axes.texts]
        shown = rows[(rows["direction"] == direction) & (rows["reference_prompt"] != "matched")]
        shown = shown[shown["reference_attribution"] != "empty"]
        assert sorted(printed) == sorted(f"{value:+.3f}" for value in shown["difference"])


def test_differences_are_drawn_hollow_where_they_may_be_chance():
    comparisons = compare(scores_of(["b32"]), BOOTSTRAP)
    for p_adjusted, is_named in ((0.01, False), (0.5, True)):
        figure = draw_differences(comparisons.assign(p_adjusted=p_adjusted), ["b32"], [HOW], 0.95)
        entries = [text.get_text() for text in figure.legends[0].get_texts()]
        assert any("hollow" in entry for entry in entries) == is_named


# Region area.


def areas_of(scores):
    """Means by region area, each row's contender named as it is drawn."""
    return of_model(average_by_area(scores, "b32", HOW, BOOTSTRAP), "b32", HOW)


def test_a_bin_of_area_has_the_mean_of_its_phrases():
    scores = scores_of(["b32"])
    curves = areas_of(scores)
    for row in curves[curves["metric"] == "poster_iou"].itertuples():
        own = scores[scores["direction"] == row.direction]
        column = "attribution" if row.contender in ("random", "empty", "center") else "prompt"
        own = own[own[column] == row.contender]
        low, high = np.float32(EDGES[row.bin : row.bin + 2])
        own = own[(own["region_area"] >= low) & (own["region_area"] < high)]
        assert row.n_phrases == len(own)
        assert row.n_images == own["image_id"].nunique()
        if row.n_phrases:
            assert row.mean == pytest.approx(own["poster_iou"].mean(), abs=1e-6)
            assert row.ci_low <= row.mean <= row.ci_high


def test_other_models_do_not_move_the_curves_of_the_first():
    scores = scores_of(["b32", "b16"])
    alone = scores[scores["model"] != "b16"]
    pd.testing.assert_frame_equal(
        average_by_area(alone, "b32", HOW, BOOTSTRAP),
        average_by_area(scores, "b32", HOW, BOOTSTRAP),
    )


def test_the_curves_by_area_are_the_table():
    curves = areas_of(scores_of(["b32"]))
    panels = draw_area(curves, "b32", HOW, 0.95).axes
    for axes, metric in zip(panels[:2], ["poster_iou", "ap"], strict=True):
        own = curves[(curves["direction"] == "text_to_image") & (curves["metric"] == metric)]
        own = own[(own["contender"] == "matched") & own["mean"].notna()]
        x, y = line_of(axes, "matched")
        np.testing.assert_array_equal(x, own["region_area"])
        np.testing.assert_array_equal(y, own["mean"])


def test_the_chance_curve_by_area_is_the_score_of_the_empty_mask():
    curves = areas_of(scores_of(["b32"]))
    panels = draw_area(curves, "b32", HOW, 0.95).axes
    assert chance_lines(panels[0]) == []
    (line,) = chance_lines(panels[1])
    empty = curves[(curves["contender"] == "empty") & (curves["metric"] == "ap")]
    empty = empty[(empty["direction"] == "text_to_image") & empty["mean"].notna()]
    np.testing.assert_allclose(line.get_ydata(), empty["mean"], atol=1e-6)
    line_of(panels[0], "empty")


def test_a_mean_over_too_few_images_is_not_drawn():
    scores = scores_of(["b32"])
    rare = scores["image_id"].isin(sorted(scores["image_id"].unique())[: FEWEST_IMAGES - 1])
    scores.loc[rare, "region_area"] = np.float32(0.7)
    scores.loc[~rare, "region_area"] = np.float32(0.03)
    curves = areas_of(scores)
    largest = curves[curves["bin"] == len(EDGES) - 2]
    assert largest["mean"].isna().all()
    assert (largest["n_images"] == FEWEST_IMAGES - 1).all()
    x, _ = line_of(draw_area(curves, "b32", HOW, 0.95).axes[0], "matched")
    assert x == pytest.approx([0.03])


def test_three_images_still_give_a_figure_by_area(tmp_path):
    curves = areas_of(scores_of(["b32"], n_images=3))
    save_figure(draw_area(curves, "b32", HOW, 0.95), [tmp_path / "area.png"], dpi=60)


# Slices.


def test_every_slice_has_a_row_in_plain_words():
    assert list(ROWS) == [(name, level) for name in SLICES for level in order_of(name)]


def order_of(name):
    return sorted(SLICES[name], key=lambda level: list(ROWS).index((name, level)))


def test_the_dots_of_a_slice_are_its_means_and_intervals():
    summary = summary_of(["b32"])
    figure = draw_slices(summary, "b32", HOW, 0.95)
    for axes, direction in zip(figure.axes, DIRECTIONS, strict=True):
        own = summary[(summary["direction"] == direction) & (summary["average"] == "phrase")]
        own = own[(own["metric"] == "ap") & own["model"].isin(["b32", "baseline"])]
        for contender, marker in MARKERS.items():
            is_own = (own["prompt"] == contender) | (own["attribution"] == contender)
            dots = [line for line in axes.lines if line.get_marker() == marker]
            drawn = sorted(x for dot in dots for x in dot.get_xdata())
            assert drawn == pytest.approx(sorted(own.loc[is_own, "mean"]))
        spans = {
            tuple(np.round(segment[:, 0], 5))
            for collection in axes.collections
            for segment in collection.get_segments()
        }
        matched = own[own["prompt"] == "matched"]
        assert spans > set(
            zip(matched["ci_low"].round(5), matched["ci_high"].round(5), strict=True)
        )


def test_a_slice_of_too_few_images_has_its_count_alone():
    summary = summary_of(["b32"])
    rare = (summary["slice"] == "kind") & (summary["level"] == "stuff")
    few = summary.assign(n_images=summary["n_images"].where(~rare, FEWEST_IMAGES - 1))
    every, fewer = (draw_slices(table, "b32", HOW, 0.95).axes[0] for table in (summary, few))
    for marker in MARKERS.values():
        count, left = (
            sum(line.get_marker() == marker for line in axes.lines) for axes in (every, fewer)
        )
        assert left == count - 1
    assert [text.get_text() for text in fewer.texts] == [text.get_text() for text in every.texts]


def test_a_slice_says_how_many_phrases_it_has():
    summary = summary_of(["b32"])
    axes = draw_slices(summary, "b32", HOW, 0.95).axes[0]
    rows = summary[(summary["direction"] == "text_to_image") & (summary["prompt"] == "matched")]
    rows = rows[(rows["metric"] == "ap") & (rows["average"] == "phrase")]
    counts = rows.set_index(["slice", "level"])["n_phrases"]
    expected = [f"{counts[key]:,}" for key in ROWS if key in counts.index]
    assert [text.get_text() for text in axes.texts] == expected


# Thresholds.


def test_a_threshold_curve_is_the_mean_over_phrases():
    tables = curves_of(["b32"])
    curves = average_curves(tables, BOOTSTRAP)
    _, table = tables[0]
    own = table[(table["prompt"] == "unimodal") & (table["level"] == LEVELS.astype(np.float32)[4])]
    row = curves[(curves["direction"] == "text_to_image") & (curves["prompt"] == "unimodal")]
    row = row.sort_values("level").iloc[4]
    assert row["mean"] == pytest.approx(own["iou_sum"].sum() / own["n_phrases"].sum())
    assert row["n_phrases"] == own["n_phrases"].sum()
    assert row["ci_low"] <= row["mean"] <= row["ci_high"]


def test_shards_of_a_contender_give_the_curve_of_the_whole():
    key, table = curves_of(["b32"])[0]
    parts = [table[table["image_id"] % 2 == part] for part in (0, 1)]
    shuffled = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(
        average_curves([(key, table)], BOOTSTRAP), average_curves([(key, shuffled)], BOOTSTRAP)
    )


def test_an_image_without_a_mismatched_phrase_counts_for_the_other_prompts_alone():
    key, table = curves_of(["b32"])[0]
    kept = table[(table["prompt"] != "mismatched") | (table["image_id"] > 0)]
    counts = average_curves([(key, kept)], BOOTSTRAP).groupby("prompt")["n_phrases"].max()
    assert counts["mismatched"] == counts["matched"] - 1


def test_threshold_panels_draw_the_curves_and_mark_otsu():
    curves = average_curves(curves_of(["b32", "b16"]), BOOTSTRAP)
    summary = summary_of(["b32", "b16"])
    panels = draw_thresholds(curves, summary, 0.95).axes
    pairs = [(model, direction) for model in ("b32", "b16") for direction in DIRECTIONS]
    otsu = summary[(summary["metric"] == "iou") & (summary["slice"] == "all")]
    otsu = otsu[otsu["average"] == "phrase"]
    for axes, (model, direction) in zip(panels, pairs, strict=True):
        own = curves[(curves["model"] == model) & (curves["direction"] == direction)]
        x, y = line_of(axes, "matched")
        np.testing.assert_allclose(x, 100 * LEVELS, atol=1e-4)
        np.testing.assert_array_equal(y, own.loc[own["prompt"] == "matched", "mean"])
        marked = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "<"]
        means = otsu[(otsu["model"] == model) & (otsu["direction"] == direction)]["mean"]
        assert sorted(marked) == pytest.approx(sorted(means))


# Waterfall.


def test_every_step_has_plain_words():
    assert set(STEPS) == {step for steps in steps_of.STEPS.values() for step in steps}


def test_the_bars_lead_from_the_poster_score_to_the_strict_one():
    table = waterfall_of(["b32"])
    panels = draw_waterfall(table, "b32", HOW, 0.95).axes
    pairs = [(direction, prompt) for direction in DIRECTIONS for prompt in ("matched", "unimodal")]
    for axes, (direction, prompt) in zip(panels, pairs, strict=True):
        own = table[(table["direction"] == direction) & (table["prompt"] == prompt)]
        bars = sorted(axes.patches, key=lambda bar: bar.get_y())
        ends = [bar.get_x() + bar.get_width() for bar in bars]
        assert ends == pytest.approx([*own["mean"], own["mean"].iloc[-1]])
        starts = [bar.get_x() for bar in bars]
        assert starts == pytest.approx([0, *own["mean"].iloc[:-1], 0])


def test_every_change_is_printed_with_its_interval():
    table = waterfall_of(["b32"])
    axes = draw_waterfall(table, "b32", HOW, 0.95).axes[0]
    own = table[(table["direction"] == "text_to_image") & (table["prompt"] == "matched")]
    changes = [
        f"{row.change:+.3f} [{row.change_low:+.3f}, {row.change_high:+.3f}]".replace("-", "−")
        for row in own.iloc[1:].itertuples()
    ]
    ends = [f"{own['mean'].iloc[0]:.3f}", f"{own['mean'].iloc[-1]:.3f}"]
    assert [text.get_text() for text in axes.texts] == [ends[0], *changes, ends[1]]
    assert axes.get_yticklabels()[-1].get_text() == FINAL


def test_a_chart_of_one_model_names_it():
    charts = draw_all(["b32", "b16"])
    for chart in ("area", "slices", "waterfall"):
        texts = [text.get_text() for text in charts[chart].texts]
        assert any(text.startswith(f"b32, {HOW};") for text in texts), chart
