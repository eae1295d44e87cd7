"""Draw the poster's score of every contender, with the published ones."""

import pandas as pd
from matplotlib.figure import Figure

from clip_grounding.figures import bars


def draw_scores(
    summary: pd.DataFrame, models: list[str], attributions: list[str], confidence: float
) -> Figure:
    """Draw the mean poster score of every contender, see `bars.draw_scores`."""
    return bars.draw_scores(summary, models, attributions, confidence, protocol="poster")
