"""Pack sets of tokens for tables, and gather them as positions."""

import numpy as np


def pack_sets(sets: np.ndarray) -> bytes:
    """Pack bool (n_sets, n) to bits, each row to whole bytes."""
    return np.packbits(sets, axis=1).tobytes()


def unpack_sets(packed: bytes, n: int) -> np.ndarray:
    """Unpack bool (n_sets, n) from the bytes of `pack_sets`.

    Raises
    ------
    ValueError
        The bytes do not hold rows of length `n`.
    """
    rows = np.frombuffer(packed, np.uint8).reshape(-1, -(-n // 8))
    return np.unpackbits(rows, axis=1, count=n).view(bool)


def order_by_size(sets: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Group sets by their size.

    Parameters
    ----------
    sets : ndarray of bool, shape (n_sets, n)

    Returns
    -------
    list of (rows, members)
        The sets of each size: their row numbers, (n_own,), and members in ascending order,
        int64 (n_own, size).
    """
    sizes = sets.sum(axis=1)
    groups = []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        groups.append((rows, np.nonzero(sets[rows])[1].reshape(len(rows), size)))
    return groups


def distinct_sets(sets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct rows of bool (n_sets, n), and the one that each row equals, (n_sets,)."""
    packed = np.packbits(sets, axis=1)
    _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return sets[first], inverse.reshape(-1)
