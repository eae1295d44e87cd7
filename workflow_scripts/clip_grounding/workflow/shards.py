"""List shards: contiguous runs of images in image-id order, the unit of work and of reruns.

The list follows from the settings alone, so the Snakefile knows every job before any file exists.
"""

from typing import NamedTuple


class Shard(NamedTuple):
    """The images of rank `start` up to, but not including, `stop`."""

    name: str
    start: int
    stop: int


def list_shards(image_count: int, images_per_shard: int, max_images: int | None) -> list[Shard]:
    """List the shards of a dataset.

    Parameters
    ----------
    image_count : int
        Images in the dataset, at least 1.
    images_per_shard : int
        Images in every shard except perhaps the last, at least 1.
    max_images : int or None
        Use only this many images, the first in image-id order; None: all. Raising it later
        leaves full shards as they were.

    Returns
    -------
    list of Shard
        Named by their number, four digits or more: ``0000``, ``0001``, …
    """
    stop = image_count if max_images is None else min(image_count, max_images)
    return [
        Shard(f"{number:04d}", start, min(start + images_per_shard, stop))
        for number, start in enumerate(range(0, stop, images_per_shard))
    ]
