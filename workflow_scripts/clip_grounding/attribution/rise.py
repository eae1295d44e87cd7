"""RISE of Petsiuk et al. (BMVC 2018): the similarity under random masks, averaged per place.

The relevance of a place is the mean similarity over the masks, weighted by how visible it is
in each, minus the mean over all masks: positive where seeing it helps. The paper (eq. 6)
divides by the expected visibility instead of the actual one: for a similarity that is far from
zero, as CLIP's is, that leaves noise in proportion to it.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor

from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "similarity under random masks, averaged per place (RISE, Petsiuk et al., BMVC"
    " 2018)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {
        "masks": {
            "description": "Random masks, the same ones for every image.",
            "type": "integer",
            "minimum": 1,
            "maximum": 1000000,
            "default": 2000,
        },
        "cells": {
            "description": "Rows and columns of a mask's grid before it is enlarged; images alone.",
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "default": 8,
        },
        "keep": {
            "description": "The chance of a cell or word to stay visible.",
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "default": 0.5,
        },
        "seed": {
            "description": "Fixes the masks.",
            "type": "integer",
            "minimum": 0,
            "maximum": 4294967295,
            "default": 0,
        },
    },
    "cost": {"passes": "masks", "backward": 0},
}

_LONGEST = 1024
"""The largest number of tokens that any text tower reads."""


@torch.no_grad()
def rise(
    clip: Clip,
    tower: Tower,
    inputs: Tensor,
    targets: Tensor,
    items: Tensor,
    masks: int = 2000,
    cells: int = 8,
    keep: float = 0.5,
    seed: int = 0,
) -> Tensor:
    """Compute Σ s·m / Σ m − mean s over the masks m; see `clip_grounding.attribution`.

    An image's mask is multiplied into its normalised pixels, so that what is hidden takes the
    mean colour; a patch has the mean of its pixels' visibility. A word that is hidden is taken
    out of the sequence. A place that no mask shows has 0.
    """
    content = tower.content(inputs)
    exact = {"dtype": torch.float64, "device": targets.device}  # sums whose difference counts
    weighted, total = torch.zeros(len(targets), content.shape[1], **exact), 0
    shown = torch.zeros(content.shape, **exact)
    if tower is clip.image:
        views = _masked_images(clip, tower, inputs, masks, cells, keep, seed)
    else:
        views = _masked_texts(tower, inputs, masks, keep, seed)
    for embeddings, visibility in views:
        similarity = clip.similarity(embeddings[items], targets)[:, None].double()
        weighted += similarity * visibility[items]
        shown += visibility
        total += similarity
    shown = shown[items]
    relevance = weighted / shown.where(shown > 0, torch.inf) - total / masks
    return torch.where(shown > 0, relevance, 0).float()


def _masked_images(clip, tower, pixels, masks, cells, keep, seed):
    """Yield the embeddings under each mask, and each token's visibility (n, n_tokens)."""
    n_special = int((~tower.content(pixels[:1])).sum())
    for mask in pixel_masks(masks, cells, keep, seed, clip.image_size):
        mask = torch.from_numpy(mask).to(pixels)
        visibility = F.avg_pool2d(mask[None, None], clip.patch_size).flatten()
        visibility = F.pad(visibility, (n_special, 0)).expand(len(pixels), -1)
        yield clip.embed(tower, pixels * mask), visibility


def _masked_texts(tower, ids, masks, keep, seed):
    """Yield the embeddings without each mask's words, and which words it shows."""
    hidden, rows, content = tower.embed(ids), tower.pooled_rows(ids), tower.content(ids)
    numbers = (content.cumsum(-1) - 1).clamp(min=0)  # of the words in their text
    for mask in word_masks(masks, keep, seed, content.shape[1]):
        shown = content & torch.from_numpy(mask).to(ids.device)[numbers]
        yield tower.embed_kept(hidden, rows, shown | ~content), shown


def pixel_masks(masks: int, cells: int, keep: float, seed: int, size: int) -> Iterator[np.ndarray]:
    """Draw RISE's masks (section 3.3): coarse cells, enlarged smoothly, shifted randomly.

    Yields
    ------
    ndarray of float32, shape (size, size)
        Visibility in [0, 1].
    """
    generator = np.random.default_rng(seed)
    cell = -(-size // cells)
    side = (cells + 1) * cell
    for _ in range(masks):
        grid = torch.from_numpy((generator.random((1, 1, cells, cells)) < keep).astype(np.float32))
        enlarged = F.interpolate(grid, (side, side), mode="bilinear", align_corners=False)
        row, column = generator.integers(cell, size=2)
        yield enlarged[0, 0, row : row + size, column : column + size].numpy()


def word_masks(masks: int, keep: float, seed: int, n_words: int) -> Iterator[np.ndarray]:
    """Draw which words are shown, bool (n_words,); the first are the same for every length.

    A text's map does not depend on the longer ones that it is batched with.
    """
    generator = np.random.default_rng(seed)
    for _ in range(masks):
        yield generator.random(_LONGEST)[:n_words] < keep
