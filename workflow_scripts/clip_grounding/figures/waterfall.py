"""Draw the steps from the poster's score to the strict one, one corrected defect each."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clip_grounding.figures.style import (
    COLORS,
    DIRECTION_LABELS,
    FAINT,
    INK,
    LABELS,
    add_axes,
    add_text,
    house_style,
    shorten,
    text_width,
)
from clip_grounding.vocabulary import MAP_PROMPTS

STEPS = {
    "poster": "poster score",
    "foreground_only": "count the foreground alone",
    "exact_region": "exact region at native size",
    "no_padding": "padding cropped away",
    "no_void": "unlabelled pixels ignored",
    "true_mention": "the phrase's own mention",
    "true_offsets": "every token of the phrase",
    "shared_ignored": "other names of the region ignored",
    "no_skipping": "long captions scored too",
}
"""Labels of the steps of `waterfall.STEPS`."""

FINAL = "strict foreground IoU"

_SIZE = 7
_SMALL = 6
# In inches.
_ROW = 0.2
_BAR = 0.13
_MARGIN = 0.08
_PANEL = 2.2
_BETWEEN = 0.12
_TITLE = 0.36  # a direction's name, and above its panels the contenders'
_BLOCK_GAP = 0.34  # tick labels and some air
_BELOW = 0.5
_VALUE = 1.12  # room for a change with its interval


def draw_waterfall(
    waterfall: pd.DataFrame, model: str, attribution: str, confidence: float
) -> Figure:
    """Draw the steps of one model: a block per direction, a panel per prompt.

    Parameters
    ----------
    waterfall : DataFrame
        Rows of ``waterfall.csv``.
    model, attribution : str
        Whose steps are drawn; named below the figure.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
    """
    own = (waterfall["model"] == model) & (waterfall["attribution"] == attribution)
    rows = waterfall[own & waterfall["prompt"].isin(MAP_PROMPTS)]
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    blocks = [
        list(rows.loc[rows["direction"] == name, "step"].drop_duplicates()) for name in directions
    ]
    labels = [[*(STEPS[step] for step in steps), FINAL] for steps in blocks]
    left = 2 * _MARGIN + max(text_width(label, _SMALL) for own in labels for label in own) / 72
    width = left + len(MAP_PROMPTS) * (_PANEL + _BETWEEN)
    heights = [_ROW * len(own) for own in labels]
    height = _MARGIN + sum(heights) + _TITLE * len(blocks) + _BLOCK_GAP * (len(blocks) - 1) + _BELOW
    # The same scale in every panel, with room for what is printed beyond the bars.
    largest = rows[["mean", "ci_high"]].max().max()
    limit = (largest if largest > 0 else 1) * _PANEL / (_PANEL - _VALUE)
    with house_style():
        figure = Figure(figsize=(width, height))
        top = _MARGIN
        for direction, names, inside in zip(directions, labels, heights, strict=True):
            title = DIRECTION_LABELS[direction]
            add_text(figure, _MARGIN, top + 0.12, title, fontsize=_SIZE, fontweight="bold")
            for number, prompt in enumerate(MAP_PROMPTS):
                x = left + number * (_PANEL + _BETWEEN)
                axes = add_axes(figure, x, top + _TITLE, _PANEL, inside)
                axes.set(xlim=(0, limit), ylim=(len(names) - 0.5, -0.5), yticks=[])
                axes.xaxis.set_major_formatter("{x:g}")
                axes.tick_params(axis="x", labelsize=_SMALL, length=2, pad=2, width=0.6)
                steps = rows[(rows["direction"] == direction) & (rows["prompt"] == prompt)]
                _draw_steps(axes, steps, COLORS[prompt])
                axes.set_title(
                    f"{LABELS[prompt]}: {_count(steps)} phrases", loc="left", fontsize=_SMALL, pad=3
                )
                if number == 0:
                    axes.set_yticks(range(len(names)), names, fontsize=_SMALL)
                    axes.tick_params(axis="y", length=0)
            top += _TITLE + inside + _BLOCK_GAP
        for axes in figure.axes[-len(MAP_PROMPTS) :]:
            axes.set_xlabel("Mean over phrases", fontsize=_SMALL, labelpad=2)
        note = (
            f"{model}, {attribution}; changes with their {100 * confidence:g} % interval, "
            "images resampled"
        )
        note = shorten(note, 72 * (width - 2 * _MARGIN), _SMALL)
        add_text(figure, _MARGIN, height - _MARGIN, note, fontsize=_SMALL)
    return figure


def _count(steps: pd.DataFrame) -> str:
    return "–".join(f"{n:,}" for n in sorted({steps["n_phrases"].min(), steps["n_phrases"].max()}))


def _draw_steps(axes: Axes, steps: pd.DataFrame, color: str) -> None:
    """Draw bars from mean to mean; the first and the last start at 0."""
    before = None
    for y, step in enumerate(steps.itertuples()):
        if before is None:
            axes.barh(y, step.mean, height=_BAR / _ROW, color=color)
            _whisker(axes, step.ci_low, step.ci_high, y)
            _print(axes, max(step.mean, step.ci_high), y, f"{step.mean:.3f}", "bold")
        else:
            _join(axes, before, y)
            axes.barh(
                y, step.change, left=before, height=_BAR / _ROW, facecolor=color,
                alpha=0.45, linewidth=0,
            )  # fmt: skip
            low, high = before + step.change_low, before + step.change_high
            _whisker(axes, low, high, y)
            interval = f"{step.change_low:+.3f}, {step.change_high:+.3f}".replace("-", "−")
            change = f"{step.change:+.3f}".replace("-", "−")
            _print(axes, max(before, high), y, f"{change} [{interval}]")
        before = step.mean
    if before is not None:
        y, last = len(steps), steps.iloc[-1]
        _join(axes, before, y)
        axes.barh(y, before, height=_BAR / _ROW, color=color)
        _whisker(axes, last["ci_low"], last["ci_high"], y)
        _print(axes, max(before, last["ci_high"]), y, f"{before:.3f}", "bold")


def _join(axes: Axes, x: float, y: float) -> None:
    """Draw a line from the bar above to the one at y."""
    edge = _BAR / _ROW / 2
    axes.plot([x, x], [y - 1 + edge, y - edge], color=FAINT, linewidth=0.5)


def _whisker(axes: Axes, low: float, high: float, y: float) -> None:
    axes.plot([low, high], [y, y], color=INK, linewidth=0.8, solid_capstyle="butt")


def _print(axes: Axes, x: float, y: float, text: str, weight: str = "normal") -> None:
    axes.annotate(
        text, (0 if np.isnan(x) else x, y), xytext=(3, 0), textcoords="offset points",
        ha="left", va="center_baseline", fontsize=_SMALL, fontweight=weight,
    )  # fmt: skip
