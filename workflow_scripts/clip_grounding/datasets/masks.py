"""Phrase masks: panoptic segments joined into the distinct regions that phrases name.

Regions are kept as COCO's compressed run lengths, some hundred bytes each.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco_mask
from tqdm import tqdm

from clip_grounding.datasets.archives import open_panoptic
from clip_grounding.errors import InputError
from clip_grounding.tables import MASKS, VOID_MASK

_N_IDS = 1 << 24
"""The number of segment ids that three bytes of colour can encode."""


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
    records = narratives.drop_duplicates("image_id").set_index("image_id")
    images = phrases.drop_duplicates(["image_id", "mask"]).sort_values("mask").groupby("image_id")
    with open_panoptic(panoptic, split) as archive:
        for image_id, regions in tqdm(images, unit="image", mininterval=1):
            record = records.loc[image_id]
            ids = archive.segments(record["panoptic_file"])
            where = f"{panoptic}: the PNG of image {image_id} ({split})"
            height, width = int(record["height"]), int(record["width"])
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
    # One lookup gives pixels small numbers, 0 for what no region names. Then regions are built of
    # runs of equal pixels, some thousand of them, and no longer of pixels.
    flat = _number_pixels(ids, named).ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    runs, lengths = flat[starts], np.diff(starts, append=flat.size)
    pixels = np.bincount(runs, weights=lengths, minlength=len(named) + 1)[1:].astype(np.int64)
    absent = [segment for segment in named[pixels == 0] if segment != 0]
    if absent:
        raise InputError(
            f"{where} has no pixel of segment {absent[0]}, which a phrase names: delete the archive"
            " and rerun"
        )
    counts, areas = [], np.zeros(len(regions), np.int64)
    for number, region in enumerate(regions):
        rows = np.searchsorted(named, np.unique(region))
        areas[number] = pixels[rows].sum()
        is_inside = np.zeros(len(named) + 1, bool)
        is_inside[rows + 1] = True
        inside = is_inside[runs]
        edges = starts[1:][inside[1:] != inside[:-1]]
        first = [0, 0] if inside[0] else [0]  # the first length is of what lies outside
        code = np.diff(np.concatenate([first, edges, [flat.size]])).tolist()
        counts.append(coco_mask.frPyObjects({"size": ids.shape, "counts": code}, *ids.shape))
    return [code["counts"] for code in counts], areas


@cache
def _number_table() -> np.ndarray:
    """Return a cached table with a number for every possible segment id, zero between calls."""
    return np.zeros(_N_IDS, np.uint16)


def _number_pixels(ids: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Number pixels by the position of their segment in `named`, from 1; 0 for any other.

    Returns
    -------
    ndarray of uint16, shape (width, height)
        By columns, as COCO's run lengths are.
    """
    table, possible = _number_table(), named[named < _N_IDS]
    table[possible] = np.arange(1, len(possible) + 1)
    try:
        return np.ascontiguousarray(table.take(ids).T)
    finally:
        table[possible] = 0
