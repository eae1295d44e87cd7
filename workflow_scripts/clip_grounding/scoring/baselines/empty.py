"""The prediction that marks nothing."""

import numpy as np

CONTRACT = {
    "summary": "no cell and no word is relevant",
    "label": "empty mask",
    "color": "#666666",
    "order": 2,
    "directions": ("text_to_image", "image_to_text"),
    "is_drawn": False,
    "dashes": (4, 1.5),
    "is_chance": True,
}


def map_image(shape: tuple[int, int], generator: None) -> np.ndarray:
    """0 in every cell."""
    return np.zeros(shape, dtype=np.float32)


def map_words(n_words: int, generator: None) -> np.ndarray:
    """0 for every word."""
    return np.zeros(n_words, dtype=np.float32)
