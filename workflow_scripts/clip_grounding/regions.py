"""Regions: the pixels that COCO's compressed run lengths say."""

import numpy as np
from pycocotools import mask as coco_mask

from clip_grounding.errors import InputError

_MOST_PIXELS = 80_000_000  # of an image that is read, see `pictures`


def decode_region(height: int, width: int, counts: bytes, where: str) -> np.ndarray:
    """Decode a row of the masks' table.

    Parameters
    ----------
    height, width : int
        Of the image, in pixels.
    counts : bytes
        COCO's compressed run lengths.
    where : str
        What messages call the region.

    Returns
    -------
    ndarray of bool, shape (height, width)

    Raises
    ------
    InputError
        The run lengths are damaged, or not of an image of this size.
    """
    height, width = int(height), int(width)
    try:
        # The decoder itself would take any size for granted, and reserve the memory for it.
        if not (height > 0 and width > 0 and height * width <= _MOST_PIXELS):
            raise ValueError(f"{height:,}×{width:,} pixels")
        region = coco_mask.decode({"size": [height, width], "counts": counts})
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{where}: no readable region in the table of masks ({error}): delete its file under"
            " results/ and rerun"
        ) from error
    return np.ascontiguousarray(region).view(bool)
