"""Draw a relevance map over its image, and outline a region."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patheffects import Normal, Stroke

HEAT = colormaps["viridis"]
"""Perceptually uniform, also to colour-blind readers and in greyscale print."""

_OPACITY = 0.65


def overlay(image: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """Lay a relevance map in colour over the image in grey.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    relevance : ndarray of float, shape (height, width)
        Coloured from its smallest to its largest value; a flat map has a single colour.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    span = np.ptp(relevance)
    level = (relevance - relevance.min()) / (span if span > 0 else 1)
    grey = image @ np.array([0.299, 0.587, 0.114])
    mixed = (1 - _OPACITY) * grey[..., None] + _OPACITY * 255 * HEAT(level)[..., :3]
    return mixed.round().astype(np.uint8)


def show_picture(axes: Axes, picture: np.ndarray, region: np.ndarray | None = None) -> None:
    """Fill axes with a picture, and outline a region in it.

    Parameters
    ----------
    axes : Axes
    picture : ndarray of uint8, shape (height, width, 3)
    region : ndarray of bool, shape (height, width), optional
        Outlined in white on black, which is visible on every picture.
    """
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0), aspect="auto")
    axes.set_axis_off()
    if region is not None and region.any():
        # A border of zeros closes the outline at the picture's edge.
        framed = np.pad(region, 1).astype(float)
        x, y = np.arange(-1, width + 1) + 0.5, np.arange(-1, height + 1) + 0.5
        halo = [Stroke(linewidth=1.8, foreground="black"), Normal()]
        axes.contour(x, y, framed, levels=[0.5], colors="white", linewidths=0.8, path_effects=halo)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
