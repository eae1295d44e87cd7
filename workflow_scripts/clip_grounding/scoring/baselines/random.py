"""Chance: every cell and every word gets a random number."""

import numpy as np

CONTRACT = {
    "summary": "uniform random relevance, drawn for every phrase",
    "label": "random",
    "color": "#BBBBBB",
    "order": 1,
    "directions": ("text_to_image", "image_to_text"),
    "is_drawn": True,
    "dashes": (),
    "is_chance": False,
}


def map_image(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """U(0, 1) in every cell."""
    return generator.random(shape, dtype=np.float32)


def map_words(n_words: int, generator: np.random.Generator) -> np.ndarray:
    """U(0, 1) for every word."""
    return generator.random(n_words, dtype=np.float32)
