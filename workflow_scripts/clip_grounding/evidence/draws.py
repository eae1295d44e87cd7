"""Draw random numbers per item, so that they do not depend on shards or order."""

from enum import IntEnum

import numpy as np
import pandas as pd


class Draw(IntEnum):
    """Purposes of draws, each with a separate stream of random numbers."""

    IMAGES = 0
    PATCH_CONTROLS = 1
    WORD_CONTROLS = 2
    SUBSETS = 3
    TIES = 4


def item_generator(seed: int, draw: Draw, *numbers: int) -> np.random.Generator:
    """Return the random generator of an item, identified by `numbers`, for one purpose."""
    return np.random.default_rng(_sequence(seed, draw, *numbers))


def sample_phrases(phrases: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Keep the phrases of a share of the images; see `draw_images`."""
    return phrases[draw_images(phrases["image_id"].to_numpy(), share, seed)]


def draw_images(image_ids: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draw a share of the images.

    An image is drawn by a hash of the seed and its id alone: other images do not matter, and
    a larger share includes every image of a smaller one.

    Parameters
    ----------
    image_ids : ndarray of int, shape (n,)
    share : float
        From 0 to 1.
    seed : int

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    distinct, inverse = np.unique(image_ids, return_inverse=True)
    words = [
        _sequence(seed, Draw.IMAGES, int(image)).generate_state(1, np.uint64)[0]
        for image in distinct
    ]
    # The upper 53 bits are a float64 below 1, exactly.
    places = (np.array(words, np.uint64) >> np.uint64(11)) * 2.0**-53
    return (places < share)[inverse]


def _sequence(seed: int, draw: Draw, *numbers: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((seed, *numbers), spawn_key=(draw,))
