"""Baselines without a model: what chance and an empty mask would score.

Everything random is drawn per phrase from (seed, narrative, phrase), so a shard's
content never depends on which other shards ran.
"""

import numpy as np

BASELINES = ("random", "empty")


def phrase_generator(seed: int, narrative: int, phrase: int) -> np.random.Generator:
    """Random generator of one phrase."""
    return np.random.default_rng([seed, narrative, phrase])


def random_map(n_values: int, seed: int, narrative: int, phrase: int) -> np.ndarray:
    """U(0, 1) per value (a pixel, a patch or a token), float32 of shape (n_values,)."""
    return phrase_generator(seed, narrative, phrase).random(n_values, dtype=np.float32)
