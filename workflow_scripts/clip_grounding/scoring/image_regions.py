"""The regions of one image, as both protocols compare maps with them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from clip_grounding.geometry import View, upsample_to_image
from clip_grounding.regions import decode_region
from clip_grounding.scoring import poster, strict
from clip_grounding.tables import VOID_MASK

_KEPT_PIXELS = 2**25
"""Positions of regions' pixels, 8 bytes each, that are kept of an image."""


@dataclass(frozen=True)
class ImageRegions:
    """The regions of one image, as both protocols compare maps with them."""

    height: int
    width: int
    pixels: "Pixels"  # mask -> flat positions at native size
    void: np.ndarray  # flat positions
    truths: dict[int, np.ndarray]  # mask -> the poster's 224 x 224 truth, packed to words

    def poster_scores(self, foregrounds: np.ndarray, index: np.ndarray, masks) -> np.ndarray:
        """Score foreground `index[i]` against region `masks[i]`."""
        predicted = _pack(foregrounds)[index]
        truth = np.stack([self.truths[mask] for mask in masks])
        both, n_predicted, n_truth = (
            np.bitwise_count(words).sum(axis=1, dtype=np.int64)
            for words in (predicted & truth, predicted, truth)
        )
        return poster.iou_of_counts(both, n_predicted, n_truth, poster.SIZE**2)

    def strict_scores(
        self, grids: np.ndarray, index: np.ndarray, masks, view: View
    ) -> dict[str, np.ndarray]:
        """Score map `index[i]` against region `masks[i]`, and the region's share of the image."""
        scores = {metric: np.empty(len(index)) for metric in strict.METRICS}
        scores["curve"] = np.empty((len(index), len(strict.LEVELS)))
        for i, grid in enumerate(grids):
            rows = np.flatnonzero(index == i)
            distinct, inverse = np.unique(masks[rows], return_inverse=True)
            values = upsample_to_image(grid, self.height, self.width, view)
            ranked = strict.rank_map(values, self.void)
            own = strict.score_regions(ranked, map(self.pixels.of, distinct))
            for metric, values in own.items():
                scores[metric][rows] = values[inverse]
        size = self.height * self.width
        areas = np.array([self.pixels.counts[mask] / size for mask in masks])
        return {**scores, "region_area": areas}


class Pixels:
    """Positions of the pixels of an image's regions, of which no more are kept than have room.

    An image with thousands of regions would take gigabytes; those that are not kept are decoded
    again when they are asked for.

    Attributes
    ----------
    counts : dict of int to int
        Pixels by mask.
    """

    def __init__(self):
        self.counts: dict[int, int] = {}
        self._kept: dict[int, np.ndarray] = {}
        self._decode: dict[int, Callable[[], np.ndarray]] = {}
        self._room = _KEPT_PIXELS

    def add(self, mask: int, positions: np.ndarray, decode: Callable[[], np.ndarray]) -> None:
        """Add a region by its positions and a function that decodes it."""
        self.counts[mask], self._decode[mask] = len(positions), decode
        if len(positions) <= self._room:
            self._room -= len(positions)
            self._kept[mask] = positions

    def of(self, mask: int) -> np.ndarray:
        """Return the flat positions of a region's pixels."""
        kept = self._kept.get(mask)
        return np.flatnonzero(self._decode[mask]()) if kept is None else kept


def read_regions(masks: pd.DataFrame) -> ImageRegions:
    """Decode one image's rows of the masks table."""
    pixels, truths, void = Pixels(), {}, np.empty(0, dtype=np.int64)
    for row in masks.itertuples():
        size = row.height, row.width
        where = f"image {row.image_id}, mask {row.mask}"
        decode = partial(decode_region, *size, row.counts, where)
        region = decode()
        if row.mask == VOID_MASK:
            void = np.flatnonzero(region)
            continue
        pixels.add(row.mask, np.flatnonzero(region), decode)
        truths[row.mask] = _pack(poster.region_truth(region).reshape(1, -1))[0]
    return ImageRegions(*size, pixels, void, truths)


def _pack(masks: np.ndarray) -> np.ndarray:
    """Pack rows of bool to 64-bit words, whose bits count fast; their length is a multiple."""
    return np.packbits(masks, axis=1).view(np.uint64)
