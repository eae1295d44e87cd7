"""Tables for the charts of the strict protocol, the charts, and what is drawn in them."""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from score_tables import phrase_keys, phrase_tables, score_table

from clip_grounding.figures.area import draw_area
from clip_grounding.figures.bars import draw_scores
from clip_grounding.figures.cost import draw_cost
from clip_grounding.figures.curves import CHANCE_LOOKS
from clip_grounding.figures.differences import draw_differences
from clip_grounding.figures.heatmap import draw_heatmap
from clip_grounding.figures.slices import draw_slices
from clip_grounding.figures.style import COLORS, house_style
from clip_grounding.figures.thresholds import draw_thresholds
from clip_grounding.figures.waterfall import draw_waterfall
from clip_grounding.scoring import waterfall as steps_of
from clip_grounding.scoring.strict import LEVELS
from clip_grounding.statistics.areas import average_by_area
from clip_grounding.statistics.bootstrap import Bootstrap
from clip_grounding.statistics.comparisons import compare
from clip_grounding.statistics.costs import add_costs
from clip_grounding.statistics.curves import average_curves
from clip_grounding.statistics.rankings import rank_contenders
from clip_grounding.statistics.summary import add_published, summarize
from clip_grounding.statistics.waterfall import summarize_waterfall

HOW = "gradient-attention"
TEN = [f"openai-vit-l14-at-{size}-pixels" for size in range(10)]
DIRECTIONS = ["text_to_image", "image_to_text"]
BASELINES = [("baseline", kind, "none") for kind in ("random", "empty", "center")]
BOOTSTRAP = Bootstrap(resamples=20, confidence=0.95, seed=0)


def scores_of(models, n_images=60, attributions=(HOW,)):
    """Scores of every contender; the centre has none image to text, as in a run."""
    prompts = ("matched", "unimodal", "mismatched")
    own = [(m, a, prompt) for m in models for a in attributions for prompt in prompts]
    scores = score_table(phrase_keys(n_images), [*BASELINES, *own])
    chance = np.float32(0.3) * scores["region_area"] + np.float32(0.1)
    is_empty = scores["attribution"] == "empty"
    scores = scores.assign(chance=chance, ap=scores["ap"].where(~is_empty, chance))
    return scores[(scores["attribution"] != "center") | (scores["direction"] == DIRECTIONS[0])]


def summary_of(models, n_images=60, attributions=(HOW,)):
    phrases, narratives = phrase_tables(phrase_keys(n_images))
    summary = summarize(scores_of(models, n_images, attributions), phrases, narratives, BOOTSTRAP)
    summary = add_published(summary, [["text_to_image", "baseline", "random", "none", 0.3]])
    return add_costs(summary, costs_of(models, attributions))


def costs_of(models, attributions=(HOW,)):
    rows = product(DIRECTIONS, models, attributions)
    rows = pd.DataFrame(rows, columns=["direction", "model", "attribution"])
    generator = np.random.default_rng(0)
    return rows.assign(
        seconds_per_map=10 ** generator.uniform(-3, 0, len(rows)),
        processor="cpu", device="Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz", threads=4,
        timed_maps=100, untimed_tables=0, peak_mb=generator.integers(500, 20_000, len(rows)),
        peak_gpu_mb=np.nan,
    )  # fmt: skip


def curves_of(models, directions=DIRECTIONS, attributions=(HOW,)):
    generator = np.random.default_rng(0)
    tables = []
    for model, attribution in product(models, attributions):
        for direction in directions:
            rows = pd.MultiIndex.from_product(
                [range(40), ["matched", "mismatched", "unimodal"], LEVELS.astype(np.float32)],
                names=["image_id", "prompt", "level"],
            ).to_frame(index=False)
            rows["n_phrases"] = 1 + rows["image_id"] % 3
            rows["iou_sum"] = rows["n_phrases"] * generator.random(len(rows)) / 2
            tables.append(((model, attribution, direction), rows))
    return tables


def waterfall_of(models):
    generator = np.random.default_rng(0)
    tables = []
    for model in models:
        for direction, steps in steps_of.STEPS.items():
            keys = phrase_keys(30)
            table = keys.merge(pd.DataFrame({"prompt": ["matched", "unimodal"]}), how="cross")
            table = table.merge(pd.DataFrame({"step": steps}), how="cross")
            tables.append(
                ((model, HOW, direction), table.assign(score=generator.random(len(table))))
            )
    return summarize_waterfall(tables, BOOTSTRAP)


def only(table, direction):
    return table if direction is None else table[table["direction"] == direction]


def draw_all(models, direction=None, attributions=(HOW,)):
    """Every chart of a run, by its file's name."""
    attributions = list(attributions)
    scores = only(scores_of(models, attributions=attributions), direction)
    summary = only(summary_of(models, attributions=attributions), direction)
    comparisons = compare(scores, BOOTSTRAP)
    area = average_by_area(scores, models[0], HOW, BOOTSTRAP)
    directions = DIRECTIONS if direction is None else [direction]
    curves = average_curves(curves_of(models, directions, attributions), BOOTSTRAP)
    return {
        "heatmap": draw_heatmap(rank_contenders(scores, BOOTSTRAP), 0.95),
        "cost": draw_cost(summary, 0.95),
        "scores": draw_scores(summary, models, attributions, 0.95, protocol="poster"),
        "strict": draw_scores(summary, models, attributions, 0.95, protocol="strict"),
        "differences": draw_differences(comparisons, models, attributions, 0.95),
        "area": draw_area(area, models[0], HOW, 0.95),
        "slices": draw_slices(summary, models[0], HOW, 0.95),
        "thresholds": draw_thresholds(curves, summary, 0.95),
        "waterfall": draw_waterfall(only(waterfall_of(models), direction), models[0], HOW, 0.95),
    }


def visible_labels(axis, limits):
    low, high = sorted(limits)
    ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
    return [label for place, label in ticks if low <= place <= high]


def boxes_of(figure):
    """Every text that is drawn, with where it is."""
    canvas = FigureCanvasAgg(figure)
    with house_style():
        canvas.draw()
        renderer = canvas.get_renderer()
        texts = [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
        for axes in figure.axes:
            texts += [*axes.texts, axes.xaxis.label, axes.yaxis.label, axes._left_title]
            texts += visible_labels(axes.xaxis, axes.get_xlim())
            texts += visible_labels(axes.yaxis, axes.get_ylim())
        return [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]


def assert_legible(figure):
    """No text leaves the figure or overlaps another."""
    boxes = boxes_of(figure)
    for i, (text, box) in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
        for other, beside in boxes[i + 1 :]:
            apart_x = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            apart_y = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert apart_x <= 0.5 or apart_y <= 0.5, (text, other)


def line_of(axes, contender):
    """The curve of a contender: its x and its y."""
    lines = [
        line
        for line in axes.lines
        if to_hex(line.get_color()) == COLORS[contender].lower() and line.get_marker() != "<"
    ]
    (line,) = lines
    return line.get_xdata(), line.get_ydata()


def chance_lines(axes):
    return [
        line
        for line in axes.lines
        if line.get_color() == CHANCE_LOOKS["color"] and line.get_linestyle() in (":", "--")
    ]
