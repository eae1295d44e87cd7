"""The bar chart: it says what the summary says, and stays readable with many models."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from clip_grounding.figures.bars import draw_scores
from clip_grounding.figures.style import COLORS, house_style, save_figure
from clip_grounding.tables import read_csv, write_csv

DIRECTIONS = ["image_to_text", "text_to_image"]
TEN = [f"openai-vit-l14-at-{size}-pixels" for size in range(10)]


def summary_of(models, attributions=("gradient-attention",), published=(), directions=DIRECTIONS):
    """A summary with distinct means; `published` names the prompts and baselines that have one."""
    contenders = [("baseline", "random", "none"), ("baseline", "empty", "none")]
    contenders += [(m, a, p) for m in models for a in attributions for p in ("matched", "unimodal")]
    rows = []
    for direction in directions:
        for model, attribution, prompt in contenders:
            mean = 0.2 + 0.01 * len(rows)
            name = attribution if model == "baseline" else prompt
            reference = mean + 0.02 if name in published else np.nan
            rows.append((direction, model, attribution, prompt, mean, reference))
    columns = ["direction", "model", "attribution", "prompt", "mean", "published"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(
        protocol="poster",
        metric="poster_iou",
        slice="all",
        level="all",
        average="phrase",
        n_phrases=44008,
        n_images=5000,
        ci_low=table["mean"] - 0.006,
        ci_high=table["mean"] + 0.004,
    )


def figure_of(summary, models, attributions=("gradient-attention",)):
    return draw_scores(
        summary, list(models), list(attributions), confidence=0.95, protocol="poster"
    )


def bars_of(axes):
    """Length and colour of each bar, from top to bottom."""
    bars = sorted(axes.patches, key=lambda bar: bar.get_y())
    return [(bar.get_x() + bar.get_width(), to_hex(bar.get_facecolor())) for bar in bars]


def boxes_of(figure):
    canvas = FigureCanvasAgg(figure)
    with house_style():
        canvas.draw()
        renderer = canvas.get_renderer()
        texts = [*figure.texts, *figure.legends[0].get_texts()]
        for axes in figure.axes:
            labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
            low, high = axes.get_xlim()
            labels = [
                label
                for label in labels
                if label in axes.get_yticklabels() or low <= label.get_position()[0] <= high
            ]
            texts += [*axes.texts, *labels, axes.xaxis.label, axes._left_title]
        return [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]


def test_bars_are_as_long_as_the_table_says():
    summary = summary_of(["b32"])
    panels = figure_of(summary, ["b32"]).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["text to image", "image to text"]
    for axes, direction in zip(panels, ["text_to_image", "image_to_text"], strict=True):
        own = summary[summary["direction"] == direction]
        means = dict(zip(own["attribution"] + "/" + own["prompt"], own["mean"], strict=True))
        assert bars_of(axes) == [
            (pytest.approx(means["random/none"]), COLORS["random"].lower()),
            (pytest.approx(means["empty/none"]), COLORS["empty"].lower()),
            (pytest.approx(means["gradient-attention/unimodal"]), COLORS["unimodal"].lower()),
            (pytest.approx(means["gradient-attention/matched"]), COLORS["matched"].lower()),
        ]


def test_other_metrics_slices_and_averages_are_not_drawn():
    summary = summary_of(["b32"])
    others = [
        summary.assign(mean=0.9, protocol="strict", metric="ap"),
        summary.assign(mean=0.9, slice="kind", level="thing"),
        summary.assign(mean=0.9, average="narrative"),
    ]
    wide = pd.concat([*others, summary], ignore_index=True)
    for axes, expected in zip(
        figure_of(wide, ["b32"]).axes, figure_of(summary, ["b32"]).axes, strict=True
    ):
        assert bars_of(axes) == bars_of(expected)


def test_the_axis_starts_at_zero_and_holds_every_value():
    for axes in figure_of(summary_of(["b32"]), ["b32"]).axes:
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlim()[1] > 0.3


def test_whiskers_are_the_intervals():
    summary = summary_of(["b32"], directions=["text_to_image"])
    (axes,) = figure_of(summary, ["b32"]).axes
    (whiskers,) = axes.collections
    drawn = {tuple(segment[:, 0].round(6)) for segment in whiskers.get_segments()}
    expected = zip(summary["ci_low"].round(6), summary["ci_high"].round(6), strict=True)
    assert drawn == set(expected)


def test_each_value_is_printed_once():
    summary = summary_of(["b32", "b16"])
    figure = figure_of(summary, ["b32", "b16"])
    printed = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sorted(printed) == sorted(f"{mean:.3f}" for mean in summary["mean"])


def test_published_values_are_marked_where_there_are_any():
    summary = summary_of(["b32"], published=["random", "matched"])
    figure = figure_of(summary, ["b32"])
    for axes, direction in zip(figure.axes, ["text_to_image", "image_to_text"], strict=True):
        markers = [line for line in axes.lines if line.get_marker() == "v"]
        own = summary.loc[summary["direction"] == direction, "published"].dropna()
        assert [sorted(line.get_xdata()) for line in markers] == [sorted(own)]
    assert "published" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_without_published_values_there_is_no_marker_and_no_legend_entry():
    figure = figure_of(summary_of(["b32"]), ["b32"])
    markers = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "v"]
    assert not any(len(line.get_xdata()) for line in markers)
    assert "published" not in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("models", "attributions", "directions"),
    [
        (["b32"], ["gradient-attention"], DIRECTIONS),
        (["b32"], ["gradient-attention"], DIRECTIONS[:1]),
        (TEN, ["gradient-attention"], DIRECTIONS),
        (TEN[:3], ["gradient-attention", "all-layers"], DIRECTIONS),
    ],
)
def test_no_text_overlaps_another_or_leaves_the_figure(models, attributions, directions):
    summary = summary_of(models, attributions, ["random", "matched", "unimodal"], directions)
    figure = figure_of(summary, models, attributions)
    boxes = boxes_of(figure)
    for i, (text, box) in enumerate(boxes):
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
        for other, beside in boxes[i + 1 :]:
            apart_x = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            apart_y = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert apart_x <= 0.5 or apart_y <= 0.5, (text, other)


def test_models_keep_the_order_of_the_config_and_name_attributions_only_where_several():
    def labels(attributions):
        figure = figure_of(summary_of(["b32", "a16"], attributions), ["b32", "a16"], attributions)
        return [label.get_text() for label in figure.axes[0].get_yticklabels()]

    assert labels(["last"]) == ["no model", "b32", "a16"]
    assert labels(["last", "all"]) == ["no model", "b32\nlast", "b32\nall", "a16\nlast", "a16\nall"]


def test_counts_that_differ_between_contenders_are_given_as_a_range():
    summary = summary_of(["b32"], directions=["image_to_text"])
    summary.loc[summary["attribution"] == "random", "n_phrases"] = 35441
    (axes,) = figure_of(summary, ["b32"]).axes
    assert axes.get_xlabel() == "35,441–44,008 phrases,\n5,000 images"


def test_a_contender_without_a_value_is_drawn_as_such():
    summary = summary_of(["b32"], directions=["image_to_text"])
    own = summary["prompt"] == "matched"
    summary.loc[own, ["mean", "ci_low", "ci_high"]] = np.nan
    (axes,) = figure_of(summary, ["b32"]).axes
    assert "no value" in [text.get_text() for text in axes.texts]


def test_every_prompt_of_a_summary_file_is_read_as_a_word(tmp_path):
    write_csv(tmp_path / "summary.csv", summary_of(["b32"]))
    summary = read_csv(tmp_path / "summary.csv")
    assert set(summary["prompt"]) == {"none", "matched", "unimodal"}
    assert summary["published"].isna().all()
    assert summary["published"].dtype == float


def test_the_same_bars_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        figure = figure_of(summary_of(["b32"], published=["random"]), ["b32"])
        save_figure(figure, [tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"], dpi=100)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
    assert b"/Subtype /Type3" not in (tmp_path / "one.pdf").read_bytes()
