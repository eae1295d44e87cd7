"""Pad images to the square that models see, and upsample patch grids onto it."""

from itertools import pairwise
from math import gcd
from typing import NamedTuple

import numpy as np


def square_padding(height: int, width: int) -> tuple[int, int]:
    """Return the rows added above and below, and the columns added left and right.

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


class View(NamedTuple):
    """The part of an image's padded square that the patches of a model see.

    Attributes
    ----------
    size : int
        Pixels per side of the model's input.
    covered : int
        Those of them that patches cover: no patch covers the rest, beyond the last whole one.
    crops : bool
        Whether the preprocessing resizes the shorter side to `size` and crops the longer one, as
        CLIP's does, or squashes both to `size`, as SigLIP's does.
    """

    size: int
    covered: int
    crops: bool


WHOLE = View(1, 1, crops=False)
"""The view of a model that sees the whole square."""


class Seen(NamedTuple):
    """A side of the padded square as a model sees it: resized, then cut.

    Attributes
    ----------
    resized : int
        Pixels to which the side is resized.
    start, extent : int
        The first of them that patches cover, and how many.
    """

    resized: int
    start: int
    extent: int


def seen_part(height: int, width: int, view: View) -> tuple[Seen, ...]:
    """Find the part of an image's padded square that a model's patches see.

    Where padding leaves a small image one pixel short of square, resizing its shorter side to the
    model's input makes the longer one longer, and the crop to the input cuts its rims.

    Parameters
    ----------
    height, width : int
        Of the image, in pixels.
    view : View

    Returns
    -------
    rows, columns : Seen
    """
    rows, columns = square_padding(height, width)
    sides = height + 2 * rows, width + 2 * columns
    seen = []
    for side in sides:
        resized = int(view.size * side / min(sides)) if view.crops else view.size
        seen.append(Seen(resized, (resized - view.size) // 2, view.covered))
    return tuple(seen)


def upsample_to_image(grid: np.ndarray, height: int, width: int, view: View = WHOLE) -> np.ndarray:
    """Upsample a relevance grid onto the image that it belongs to.

    The grid covers what the model sees of the padded square; the padding is cropped away, and
    beyond what was seen the map is level.

    Parameters
    ----------
    grid : ndarray of float32, shape (rows, columns)
    height, width : int
        Of the image, in pixels.
    view : View
        What of it the model sees.

    Returns
    -------
    ndarray of float32, shape (height, width)
        Bilinear, computed exactly for values of like size and then rounded: pixels that are equal
        are tied, so no last digit ranks them.
    """
    rows, columns = square_padding(height, width)
    seen_rows, seen_columns = seen_part(height, width, view)
    down = _places(grid.shape[0], height + 2 * rows, seen_rows, rows)
    across = _places(grid.shape[1], width + 2 * columns, seen_columns, columns)
    return _interpolate(grid, down, across)


def upsample_to_square(grid: np.ndarray, height: int, width: int, view: View = WHOLE) -> np.ndarray:
    """Upsample a relevance grid onto the padded square of an image of this size."""
    rows, columns = square_padding(height, width)
    seen_rows, seen_columns = seen_part(height, width, view)
    down = _places(grid.shape[0], height + 2 * rows, seen_rows)
    across = _places(grid.shape[1], width + 2 * columns, seen_columns)
    return _interpolate(grid, down, across)


def _places(length: int, size: int, seen: Seen, cut: int = 0) -> tuple[np.ndarray, np.ndarray, int]:
    """Interpolate `length` values at `size` places, half-pixel centres, but `cut` at each end.

    The values cover what is seen of a side.

    Returns
    -------
    low : ndarray of int64, shape (size - 2 * cut,)
        The lower index.
    parts : ndarray of float64, shape (size - 2 * cut,)
        The share of the next index, in whole parts of `whole`.
    whole : int
    """
    # In the smallest whole numbers, which keep the sums of `_interpolate` exact.
    scale, start, extent = seen.resized, 2 * seen.start * size, seen.extent * size
    common = gcd(scale, start, extent)
    scale, start, extent = scale // common, start // common, extent // common
    whole = 2 * extent
    centers = ((2 * np.arange(cut, size - cut) + 1) * scale - start) * length - extent
    centers = np.clip(centers, 0, whole * (length - 1))
    low, parts = np.divmod(centers, whole)
    return low, parts.astype(np.float64), whole


def _interpolate(
    grid: np.ndarray,
    down: tuple[np.ndarray, np.ndarray, int],
    across: tuple[np.ndarray, np.ndarray, int],
) -> np.ndarray:
    """Interpolate a grid at `_places`; beyond the last centre it is level.

    Shares stay whole numbers until one division at the end: sums are exact where the values are
    of like size, so what is equal, as on both sides of a symmetric map, rounds to one value.
    """
    (low_rows, row_parts, n_rows), (low_columns, column_parts, n_columns) = down, across
    grid = grid.astype(np.float64)
    steps = np.diff(grid, axis=1, append=grid[:, -1:])
    wide = n_columns * grid[:, low_columns] + column_parts * steps[:, low_columns]
    steps = np.diff(wide, axis=0, append=wide[-1:])
    wide *= n_rows
    out = np.empty((len(low_rows), len(low_columns)), dtype=np.float32)
    # Band by band, which stays in the processor's cache. Not as a matrix product: BLAS would
    # start threads that fight over a job's one core.
    bounds = np.searchsorted(low_rows, np.arange(len(grid) + 1))
    room = np.empty((np.diff(bounds).max(), len(low_columns)))
    for row, (start, stop) in enumerate(pairwise(bounds)):
        band = np.multiply(row_parts[start:stop, None], steps[row], out=room[: stop - start])
        band += wide[row]
        band /= n_rows * n_columns
        out[start:stop] = band
    return out
