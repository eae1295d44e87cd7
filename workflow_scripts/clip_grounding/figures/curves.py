"""Draw lines with bands, one per contender, distinguished by colour and dashes."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from clip_grounding.figures.style import BASELINES, COLORS, INK, LABELS

_DASHES = {
    **{name: (0, own.dashes) for name, own in BASELINES.items() if own.dashes},
    "mismatched": (0, (2.5, 1)),
}

CHANCE_LOOKS: dict[str, Any] = {
    "color": INK,
    "linewidth": 0.7,
    "linestyle": (0, (1, 1.5)),
    "zorder": 2.5,
}
"""Style of the line that marks the chance level, in every figure."""


def draw_curve(axes: Axes, x: pd.Series, curve: pd.DataFrame, contender: str, **looks) -> None:
    """Draw a contender's means over x, with a band from ``ci_low`` to ``ci_high``."""
    color = COLORS[contender]
    axes.fill_between(x, curve["ci_low"], curve["ci_high"], color=color, alpha=0.3, linewidth=0)
    axes.plot(x, curve["mean"], **curve_looks(contender), **looks)


def curve_looks(contender: str) -> dict:
    """Return the colour, width and dashes of a contender's line."""
    dashes = _DASHES.get(contender, "solid")
    return {"color": COLORS[contender], "linewidth": 1, "linestyle": dashes}


def curve_handles(contenders: Iterable[str]) -> list[Line2D]:
    """Return the legend entries of these contenders, in the order of `LABELS`."""
    drawn = set(contenders)
    return [
        Line2D([], [], label=label, **curve_looks(name))
        for name, label in LABELS.items()
        if name in drawn
    ]


def chance_handle(label: str) -> Line2D:
    """Return the legend entry of the chance level."""
    return Line2D([], [], label=label, **CHANCE_LOOKS)
