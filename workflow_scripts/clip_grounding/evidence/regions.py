"""Find the tokens of a phrase's region, and controls of as many tokens elsewhere."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from clip_grounding.evidence.draws import Draw, item_generator
from clip_grounding.evidence.items import Item
from clip_grounding.evidence.patches import choose_patches, region_shares, shift_patches
from clip_grounding.evidence.words import list_runs
from clip_grounding.geometry import View
from clip_grounding.regions import decode_region
from clip_grounding.scoring.captions import Caption

FEWEST_CONTROLS = 3


class Region(NamedTuple):
    """A phrase's region in an item's content tokens.

    Attributes
    ----------
    compared : ndarray of bool, shape (n_content,)
        The tokens that a map is ranked on: all but other mentions of the same segments.
    target : ndarray of bool, shape (n_content,)
        The region.
    controls : ndarray of bool, shape (n_controls, n_content)
        The same shape, or as many words, elsewhere.
    excluded : str or None
        Why no effect of the region can be measured; None if it can.
    """

    compared: np.ndarray
    target: np.ndarray
    controls: np.ndarray
    excluded: str | None


def image_regions(
    item: Item, masks: pd.DataFrame, grid: tuple[int, int], view: View, n_controls: int, seed: int
) -> tuple[list[Region], np.ndarray]:
    """Find the distinct regions of an image's phrases.

    Parameters
    ----------
    item : Item
        An image.
    masks : DataFrame
        Its rows of the masks table.
    grid : tuple of int
        Rows and columns of the model's patches.
    view : View
        What of an image they cover.
    n_controls : int
        The largest number of controls of a region.
    seed : int
        Controls are drawn by the seed, the image's id and the mask's number.

    Returns
    -------
    regions : list of Region
    index : ndarray of int64, shape (n_phrases,)
        The region of each phrase.
    """
    regions = {}
    named = masks[masks["mask"].isin(item.phrases["mask"])]
    for row in named.itertuples():
        where = f"image {row.image_id}, mask {row.mask}"
        region = decode_region(row.height, row.width, row.counts, where)
        shares = item.rectangle.crop(region_shares(region, grid, view))
        target = choose_patches(shares)
        generator = item_generator(seed, Draw.PATCH_CONTROLS, item.number, row.mask)
        controls = shift_patches(target, n_controls, generator)
        controls, target = controls.reshape(-1, target.size), target.ravel()
        reason = _few_controls(controls)
        if target.all():
            reason = "covers_image"
        if not shares.any():
            reason = "no_patches"  # beyond what the content patches see
        regions[row.mask] = Region(np.ones_like(target), target, controls, reason)
    numbers = list(regions)
    index = np.array([numbers.index(mask) for mask in item.phrases["mask"]])
    return list(regions.values()), index


def caption_regions(
    item: Item, caption: Caption, n_controls: int, seed: int
) -> tuple[list[Region], np.ndarray]:
    """Find the word tokens of each phrase of a caption; return the same as `image_regions`.

    Controls are runs of as many tokens that hold neither a token of the phrase nor one of a
    phrase that shares a segment; they are drawn by the seed, the narrative and the phrase.
    """
    regions = []
    for row in item.phrases.itertuples():
        target, ignored = caption.strict_truths[row.phrase], caption.ignored[row.phrase]
        reason = caption.exclude_strictly(row)
        controls = np.zeros((0, len(target)), bool)
        if reason is None:
            controls = list_runs(int(target.sum()), target | ignored)
            generator = item_generator(seed, Draw.WORD_CONTROLS, item.number, row.phrase)
            controls = controls[generator.permutation(len(controls))[:n_controls]]
            reason = _few_controls(controls)
        regions.append(Region(~ignored, target, controls, reason))
    return regions, np.arange(len(regions))


def _few_controls(controls: np.ndarray) -> str | None:
    return "no_control" if len(controls) < FEWEST_CONTROLS else None
