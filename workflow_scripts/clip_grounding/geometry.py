"""The padded square that models see, and the grid of patches on it: padding and upsampling."""

from itertools import pairwise

import numpy as np


def square_padding(height: int, width: int) -> tuple[int, int]:
    """Rows added above and below, and columns added left and right, to make an image square.

    An odd difference loses one pixel, as in the published code: the result is then one
    pixel short of square.
    """
    longer = max(height, width)
    return (longer - height) // 2, (longer - width) // 2


def pad_to_square(pixels: np.ndarray) -> np.ndarray:
    """Pad an image or a mask with zeros (black) to a square.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)

    Returns
    -------
    ndarray
        The same type; see `square_padding` for its size.
    """
    rows, columns = square_padding(*pixels.shape[:2])
    channels = ((0, 0),) * (pixels.ndim - 2)
    return np.pad(pixels, ((rows, rows), (columns, columns), *channels))


def interpolate(
    values: np.ndarray, axis: int, low: np.ndarray, high: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Interpolate along one axis between the indices `low` and `high`."""
    share = share.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    return values.take(low, axis) * (1 - share) + values.take(high, axis) * share


def linear_weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interpolate `length` values at `size` places: lower and upper index, share of the upper.

    Each is of shape (size,).
    """
    centers = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(length / size)
    centers = np.maximum(centers - np.float32(0.5), 0)
    low = centers.astype(np.int64)
    high = np.minimum(low + 1, length - 1)
    return low, high, centers - low.astype(np.float32)


def upsample_to_image(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsample a relevance grid onto the image that it belongs to.

    The grid covers the padded square at the image's own scale; the padding is cropped away.

    Parameters
    ----------
    grid : ndarray of float32, shape (rows, columns)
    height, width : int
        Of the image, in pixels.

    Returns
    -------
    ndarray of float32, shape (height, width)
        Bilinear in double precision, then rounded: pixels that are equal but for the rounding of
        a computation are tied, so no last digit ranks them.
    """
    rows, columns = square_padding(height, width)
    low_rows, row_shares = _weights(grid.shape[0], height + 2 * rows)
    low_columns, column_shares = _weights(grid.shape[1], width + 2 * columns)
    across, down = slice(columns, columns + width), slice(rows, rows + height)
    return _interpolate(
        grid, low_rows[down], row_shares[down], low_columns[across], column_shares[across]
    )


def upsample_to_square(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Upsample a relevance grid onto the padded square of an image of this size."""
    rows, columns = square_padding(height, width)
    return _interpolate(
        grid,
        *_weights(grid.shape[0], height + 2 * rows),
        *_weights(grid.shape[1], width + 2 * columns),
    )


def _weights(length: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate `length` values at `size` places, half-pixel centres: lower index and share."""
    centers = np.maximum((np.arange(size) + 0.5) * (length / size) - 0.5, 0)
    low = centers.astype(np.int64)
    return low, centers - low


def _interpolate(
    grid: np.ndarray,
    low_rows: np.ndarray,
    row_shares: np.ndarray,
    low_columns: np.ndarray,
    column_shares: np.ndarray,
) -> np.ndarray:
    """Interpolate a grid at the places of `_weights`; beyond the last centre it is level."""
    grid = grid.astype(np.float64)
    steps = np.diff(grid, axis=1, append=grid[:, -1:])
    wide = grid[:, low_columns] + column_shares * steps[:, low_columns]
    steps = np.diff(wide, axis=0, append=wide[-1:])
    out = np.empty((len(low_rows), len(low_columns)), dtype=np.float32)
    # Band by band, which stays in the processor's cache. Not as a matrix product: BLAS would
    # start threads that fight over a job's one core.
    bounds = np.searchsorted(low_rows, np.arange(len(grid) + 1))
    for row, (start, stop) in enumerate(pairwise(bounds)):
        out[start:stop] = wide[row] + row_shares[start:stop, None] * steps[row]
    return out
