"""Place regions on an image's patches, and the same shape elsewhere.

A model's patches divide what the model sees of the padded square evenly. The patches whose centre
lies in the image, not in its padding, are a rectangle: the image's content.
"""

from typing import NamedTuple

import numpy as np

from clip_grounding.geometry import Seen, View, seen_part, square_padding

_EXACT = 9
"""Decimals to which shares of patches are compared."""


class Rectangle(NamedTuple):
    """Rows from `top` to `bottom` and columns from `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Its rows and columns."""
        return self.bottom - self.top, self.right - self.left

    def crop(self, grid: np.ndarray) -> np.ndarray:
        """Cut the rectangle out of the last two axes of `grid`."""
        return grid[..., self.top : self.bottom, self.left : self.right]


def content_rectangle(height: int, width: int, grid: tuple[int, int], view: View) -> Rectangle:
    """Find the patches whose centre lies in the image.

    Parameters
    ----------
    height, width : int
        Of the image, in pixels.
    grid : tuple of int
        Rows and columns of patches.
    view : View
        What of the padded square they cover.
    """
    spans = []
    for size, padding, n_patches, seen in zip(
        (height, width),
        square_padding(height, width),
        grid,
        seen_part(height, width, view),
        strict=True,
    ):
        # Times 2 n_patches and the resized side, so that whole numbers are compared.
        centers = (2 * np.arange(n_patches) + 1) * seen.extent + 2 * n_patches * seen.start
        centers *= size + 2 * padding
        scale = 2 * n_patches * seen.resized
        start, stop = scale * padding, scale * (padding + size)
        inside = np.flatnonzero((centers >= start) & (centers < stop))
        if len(inside) == 0:  # an image narrower than a patch
            inside = [np.abs(2 * centers - start - stop).argmin()]
        spans += [int(inside[0]), int(inside[-1]) + 1]
    return Rectangle(*spans)


def region_shares(region: np.ndarray, grid: tuple[int, int], view: View) -> np.ndarray:
    """Share of each patch's part of the image that lies in a region.

    Parameters
    ----------
    region : ndarray of bool or uint8, shape (height, width)
    grid : tuple of int
        Rows and columns of patches.
    view : View
        What of the padded square they cover.

    Returns
    -------
    ndarray of float64, shape grid
        Exact areas; 0 at patches that show only padding.
    """
    rows, columns = (
        _overlaps(size, padding, n_patches, seen)
        for size, padding, n_patches, seen in zip(
            region.shape,
            square_padding(*region.shape),
            grid,
            seen_part(*region.shape, view),
            strict=True,
        )
    )
    inside = rows @ region.astype(np.float64) @ columns.T
    image = np.outer(rows.sum(axis=1), columns.sum(axis=1))
    return np.divide(inside, image, out=np.zeros_like(inside), where=image > 0)


def _overlaps(size: int, padding: int, n_patches: int, seen: Seen) -> np.ndarray:
    """Length of each pixel of a side that lies in each patch, (n_patches, size)."""
    edges = seen.start + np.arange(n_patches + 1) * (seen.extent / n_patches)
    edges = edges * ((size + 2 * padding) / seen.resized) - padding
    pixels = np.arange(size)
    start = np.maximum(edges[:-1, None], pixels)
    stop = np.minimum(edges[1:, None], pixels + 1)
    return np.maximum(stop - start, 0)


def choose_patches(shares: np.ndarray) -> np.ndarray:
    """Choose a region's patches: as many as its area is worth, those with the largest shares.

    Parameters
    ----------
    shares : ndarray of float64, shape (rows, columns)
        Of the content, see `region_shares`.

    Returns
    -------
    ndarray of bool, shape (rows, columns)
        At least one; among equal shares the first, row by row.
    """
    flat = shares.ravel().round(_EXACT)
    count = max(1, int(np.floor(flat.sum() + 0.5)))
    chosen = np.zeros(flat.size, bool)
    chosen[np.argsort(-flat, kind="stable")[:count]] = True
    return chosen.reshape(shares.shape)


def shift_patches(patches: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Put a shape of patches elsewhere: shifted with wrap-around, and mirrored with chance ½.

    Parameters
    ----------
    patches : ndarray of bool, shape (rows, columns)
    count : int
        How many shifts to draw.
    generator : Generator

    Returns
    -------
    ndarray of bool, shape (n, rows, columns)
        Distinct, none of them `patches`; fewer than `count` where there are no more.
    """
    rows, columns = patches.shape
    mirrored = patches[:, ::-1]
    found = {patches.tobytes(): patches}
    for shift in generator.permutation(2 * rows * columns):
        if len(found) > count:
            break
        mirror, place = divmod(int(shift), rows * columns)
        own = np.roll(mirrored if mirror else patches, divmod(place, columns), axis=(0, 1))
        found.setdefault(own.tobytes(), own)
    shifted = list(found.values())[1:]
    return np.array(shifted, bool).reshape(-1, rows, columns)
