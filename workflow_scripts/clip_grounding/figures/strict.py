"""Draw the strict average precision of every contender, with the chance level."""

import pandas as pd
from matplotlib.figure import Figure

from clip_grounding.figures import bars


def draw_strict(
    summary: pd.DataFrame, models: list[str], attributions: list[str], confidence: float
) -> Figure:
    """Draw the strict average precision of every contender, see `bars.draw_scores`."""
    return bars.draw_scores(summary, models, attributions, confidence, protocol="strict")
