"""Compute the share of controls that lie below their reference."""

import numpy as np

TIE = 1e-4
"""Similarities (cosines × 100) that differ by less count as equal: rounding stays below this."""


def share_below(values: np.ndarray, reference: np.ndarray, tie: float = TIE) -> np.ndarray:
    """Compute the share of values (n, ...) below a reference (...); ties (`tie`) count half."""
    return ((values < reference - tie).mean(axis=0) + (values <= reference + tie).mean(axis=0)) / 2
