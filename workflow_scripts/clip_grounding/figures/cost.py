"""Score against cost: what does a better map cost in time on one device?"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from clip_grounding.figures.selection import pooled_means
from clip_grounding.figures.style import (
    COLORS,
    COUNTS,
    DIRECTION_LABELS,
    FAINT,
    INK,
    PAGE_WIDTH,
    add_axes,
    add_notes,
    add_text,
    house_style,
    shorten,
)
from clip_grounding.statistics.costs import CLOCK

MOST_NAMED = 8
"""The largest number of points of a panel that are named beside it."""

UNKNOWN = "cost not known: these maps were not timed, or on another device"

_SIZE = 7
_SMALL = 6
# In inches.
_MARGIN = 0.08
_LEFT = 0.5
_PANEL = 2.75
_HEIGHT = 2.05
_NAMES = _LEFT + _PANEL + 0.42  # where names begin, right of a panel
_LINE = 0.27  # from name to name
_TITLE = 0.26
_TICKS = 0.44  # tick and axis labels
_BELOW = 0.38  # the notes


def draw_cost(summary: pd.DataFrame, confidence: float) -> Figure:
    """Draw mean strict AP against seconds per map, a panel per direction.

    Times of different devices do not compare: drawn are those of the device, with its number of
    threads, on which most contenders were timed. Names are those of all points or, of many, those
    of the ones that no other beats in both.

    Parameters
    ----------
    summary : DataFrame
        Rows of ``summary.csv``.
    confidence : float
        Of the intervals.

    Returns
    -------
    Figure
        As wide as a page.
    """
    rows = pooled_means(summary, "ap")
    rows = rows[rows["prompt"] == "matched"]
    is_timed = rows["seconds_per_map"] > 0
    clock = rows[is_timed].value_counts(CLOCK, sort=False)
    clock = dict(zip(CLOCK, clock.idxmax(), strict=True)) if len(clock) else {}
    is_drawn = is_timed & (rows[list(clock)] == pd.Series(clock)).all(axis=1)
    directions = [name for name in DIRECTION_LABELS if name in set(rows["direction"])]
    block = _TITLE + _HEIGHT + _TICKS
    height = block * len(directions) + _BELOW
    with house_style():
        figure = Figure(figsize=(PAGE_WIDTH, height))
        for number, direction in enumerate(directions):
            top = number * block
            title = DIRECTION_LABELS[direction]
            add_text(figure, _MARGIN, top + 0.16, title, fontsize=_SIZE, fontweight="bold")
            axes = add_axes(figure, _LEFT, top + _TITLE, _PANEL, _HEIGHT)
            own = rows["direction"] == direction
            known = rows[own & is_drawn].sort_values("seconds_per_map", kind="stable")
            if known.empty:
                axes.set(xticks=[], yticks=[])
                axes.text(
                    0.5, 0.5, UNKNOWN, ha="center", va="center", fontsize=_SMALL, color=FAINT,
                    transform=axes.transAxes,
                )  # fmt: skip
                continue
            named = choose_named(known)
            _draw_points(axes, known, named)
            _name_points(figure, axes, named, top + _TITLE)
            n_elsewhere, n_untimed = (own & is_timed & ~is_drawn).sum(), (own & ~is_timed).sum()
            _say_what_is_missing(figure, known, named, n_elsewhere, n_untimed, top + _TITLE)
        notes = [
            _describe_clock(**clock) if clock else "",
            f"Matched prompt; {100 * confidence:g} % interval, images resampled",
        ]
        add_notes(figure, notes)
    return figure


def choose_named(points: pd.DataFrame) -> pd.DataFrame:
    """Choose the points to name: all if they are few, else those that no other beats in both.

    Parameters
    ----------
    points : DataFrame
        Columns ``seconds_per_map`` and ``mean``, cheapest first.

    Returns
    -------
    DataFrame
        At most `MOST_NAMED` of the rows: the best scores where the front has more.
    """
    if len(points) <= MOST_NAMED:
        return points
    ahead = points["mean"].cummax().shift(fill_value=-np.inf)
    return points[points["mean"] > ahead].iloc[-MOST_NAMED:]


def _draw_points(axes: Axes, points: pd.DataFrame, named: pd.DataFrame) -> None:
    is_named = points.index.isin(named.index)
    for own, color, z in ((points[~is_named], FAINT, 2), (points[is_named], COLORS["matched"], 3)):
        axes.errorbar(
            own["seconds_per_map"], own["mean"],
            yerr=[own["mean"] - own["ci_low"], own["ci_high"] - own["mean"]],
            color=color, marker="o", markersize=3, linestyle="none", elinewidth=0.6, zorder=z,
        )  # fmt: skip
    low, high = points["seconds_per_map"].min(), points["seconds_per_map"].max()
    axes.set_xscale("log")
    # At least half a power of ten, so that there is a tick.
    air = max(1.25, (10**0.5 * low / high) ** 0.5)
    axes.set_xlim(low / air, high * air)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.minorticks_off()
    if np.log10(axes.get_xlim()[1] / axes.get_xlim()[0]) > 2:
        axes.xaxis.set_major_locator(LogLocator())
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(labelsize=_SMALL, length=2, pad=2, width=0.6)
    seconds = "CPU-seconds" if points["processor"].iloc[0] == "cpu" else "GPU-seconds"
    axes.set_xlabel(f"{seconds} per map", fontsize=_SMALL, labelpad=2)
    axes.set_ylabel("Mean strict AP", fontsize=_SMALL, labelpad=3)


def _name_points(figure: Figure, axes: Axes, named: pd.DataFrame, top: float) -> None:
    """List the named points beside the panel by score, each joined to its point by a line."""
    ordered = named.sort_values("mean", ascending=False, kind="stable")
    across, down = figure.get_size_inches()
    low, high = axes.get_ylim()
    # As close to their points as possible without touching each other.
    places = _HEIGHT * (high - ordered["mean"].to_numpy()) / (high - low)
    steps = _LINE * np.arange(len(places))
    places = steps + np.maximum.accumulate(places - steps)
    places = steps + np.minimum(places - steps, max(0, _HEIGHT - 0.1 - steps[-1]))
    for point, place in zip(ordered.itertuples(), places, strict=True):
        y = top + place
        axes.annotate(
            "", (point.seconds_per_map, point.mean),
            xytext=((_NAMES - 0.04) / across, 1 - (y - 0.03) / down), textcoords="figure fraction",
            arrowprops={"arrowstyle": "-", "color": COUNTS, "linewidth": 0.5, "shrinkB": 2},
            annotation_clip=False, zorder=1,
        )  # fmt: skip
        room = 72 * (across - _NAMES - _MARGIN)
        name = shorten(f"{point.model}, {point.attribution}", room, _SMALL)
        add_text(figure, _NAMES, y, name, fontsize=_SMALL)
        numbers = f"{point.mean:.3f}, {_duration(point.seconds_per_map)}"
        if point.processor == "gpu":
            numbers += f", {point.peak_gpu_mb:,.0f} MB of the GPU"
        else:
            numbers += f", {point.peak_mb:,.0f} MB"
        add_text(figure, _NAMES, y + 0.105, numbers, fontsize=_SMALL, color=FAINT)


def _say_what_is_missing(
    figure: Figure,
    known: pd.DataFrame,
    named: pd.DataFrame,
    n_elsewhere: int,
    n_untimed: int,
    top: float,
) -> None:
    notes = []
    if len(named) < len(known):
        notes.append(f"named: best scores for their time; grey: {len(known) - len(named)} others")
    if n_elsewhere:
        notes.append(f"{n_elsewhere} not drawn: timed on another device")
    if n_untimed:
        notes.append(f"{n_untimed} not drawn: cost not known")
    if notes:
        add_text(figure, _LEFT + 0.9, top - 0.1, "; ".join(notes), fontsize=_SMALL, color=INK)


def _describe_clock(processor: str, device: str, threads: float) -> str:
    jobs = "1 thread" if threads == 1 else f"{threads:.0f} threads"
    waited = " of the process" if processor == "cpu" else ", the GPU waited for"
    return f"Seconds{waited}, of the attribution method alone, on {device}, jobs of {jobs}"


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"
