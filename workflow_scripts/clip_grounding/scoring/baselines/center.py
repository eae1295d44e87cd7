"""A centre prior, for images: words have no centre."""

import numpy as np

from clip_grounding.scoring.draws import center_map

CONTRACT = {
    "summary": "a Gaussian in the middle of the image",
    "label": "centre of the image",
    "color": "#009E73",
    "order": 3,
    "directions": ("text_to_image",),
    "is_drawn": False,
    "dashes": (4, 1, 1, 1),
    "is_chance": False,
}


def map_image(shape: tuple[int, int], generator: None) -> np.ndarray:
    """The Gaussian of `center_map`."""
    return center_map(*shape)
