"""Shares of controls that lie below what they are controls of."""

import numpy as np

TIE = 1e-4
"""Similarities, cosines times 100, that differ by less are equal: rounding is below it."""


def share_below(values: np.ndarray, reference: np.ndarray, tie: float = TIE) -> np.ndarray:
    """Share of values (n, ...) below a reference (...); those that differ by `tie` count half."""
    return ((values < reference - tie).mean(axis=0) + (values <= reference + tie).mean(axis=0)) / 2
