"""Phrase masks: panoptic segments joined into the distinct regions that phrases name.

Regions are kept as COCO's compressed run lengths, some hundred bytes each.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask
from tqdm import tqdm

from clip_grounding.archives import open_panoptic
from clip_grounding.errors import InputError
from clip_grounding.tables import MASKS, VOID_MASK


def rasterize_masks(
    narratives: pd.DataFrame, phrases: pd.DataFrame, panoptic: str | Path, split: str
) -> Iterator[pd.DataFrame]:
    """Rasterise the distinct regions of the images that have phrases.

    Parameters
    ----------
    narratives, phrases : DataFrame
        The shard's rows of ``narratives.parquet`` and ``phrases.parquet``.
    panoptic : str or Path
        The panoptic archive.
    split : str
        The split of the archive.

    Yields
    ------
    DataFrame
        The columns of `tables.MASKS` for one image, in image-id order: its void pixels, then
        its regions by number.

    Raises
    ------
    InputError
        A PNG is missing, damaged, of another size than its record, or lacks a segment that a
        phrase names.
    """
    if phrases.empty:
        return
    sizes = narratives.drop_duplicates("image_id").set_index("image_id")[["height", "width"]]
    images = phrases.drop_duplicates(["image_id", "mask"]).sort_values("mask").groupby("image_id")
    with open_panoptic(panoptic, split) as archive:
        for image_id, regions in tqdm(images, unit="image", mininterval=1):
            ids = archive.segments(image_id)
            where = f"{panoptic}: the PNG of image {image_id} ({split})"
            height, width = (int(side) for side in sizes.loc[image_id])
            if ids.shape != (height, width):
                raise InputError(
                    f"{where} is {ids.shape[1]}×{ids.shape[0]}, its record says {width}×{height}:"
                    " delete the archive and rerun"
                )
            sets = [[0], *regions["segment_ids"]]  # 0: void
            counts, areas = encode_regions(ids, sets, where)
            yield pd.DataFrame(
                {
                    "image_id": image_id,
                    "mask": [VOID_MASK, *regions["mask"]],
                    "segment_ids": [[], *regions["segment_ids"]],
                    "height": height,
                    "width": width,
                    "counts": counts,
                    "area": areas,
                },
                columns=MASKS.names,
            )


def encode_regions(
    ids: np.ndarray, regions: list[list[int]], where: str
) -> tuple[list[bytes], np.ndarray]:
    """Encode regions, each the union of the segments in a list.

    Parameters
    ----------
    ids : ndarray of int32, shape (height, width)
        The segment of each pixel.
    regions : list of list of int
        Segment ids. All but 0 (void) must occur in `ids`.
    where : str
        What messages call `ids`.

    Returns
    -------
    counts : list of bytes
        COCO's compressed run lengths.
    areas : ndarray of int64
        In pixels.
    """
    named = np.unique([0, *(segment for region in regions for segment in region)])
    # One pass maps pixels to small numbers, the last for what no region names; then each region
    # is a lookup in its row of a small table instead of a comparison per segment and pixel.
    compact = np.searchsorted(named, ids)
    compact[named[np.minimum(compact, len(named) - 1)] != ids] = len(named)
    pixels = np.bincount(compact.ravel(), minlength=len(named) + 1)
    absent = [segment for segment in named[pixels[:-1] == 0] if segment != 0]
    if absent:
        raise InputError(
            f"{where} has no pixel of segment {absent[0]}, which a phrase names: delete the archive"
            " and rerun"
        )
    members = np.zeros((len(regions), len(named) + 1), np.uint8)
    for row, region in zip(members, regions, strict=True):
        row[np.searchsorted(named, region)] = 1
    # Transposed, the regions lie in memory as the encoder wants them: by columns, region by region.
    stack = members.take(np.ascontiguousarray(compact.T), axis=1).transpose(2, 1, 0)
    return [code["counts"] for code in coco_mask.encode(stack)], members @ pixels
