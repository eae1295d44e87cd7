"""Compute rank correlations of many columns at once."""

import numpy as np
import pandas as pd

_DIGITS = 9


def standard_ranks(values: np.ndarray) -> np.ndarray:
    """Rank each column, and scale the ranks to mean 0 and norm 1.

    The dot product of two such columns is their Spearman correlation. Values that differ by
    less than 1e-9 of the column's range are tied: they are the same sums in different orders.

    Parameters
    ----------
    values : ndarray of float, shape (n, n_columns)

    Returns
    -------
    ndarray of float64, shape (n, n_columns)
        0 in a column without two values that differ, NaN in one that holds NaN.
    """
    values = values.astype(np.float64)
    span = np.ptp(values, axis=0)
    scaled = (values - values.min(axis=0)) / np.where(span > 0, span, 1)
    ranks = pd.DataFrame(scaled.round(_DIGITS)).rank().to_numpy(copy=True)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt(np.square(ranks).sum(axis=0))
    return ranks / np.where(length > 0, length, 1)
