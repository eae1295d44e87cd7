"""Make maps of items for given targets, and embed the targets, by any state of the model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clip_grounding.evidence.items import ReadImage
from clip_grounding.evidence.maps import unit_values
from clip_grounding.gates.items import Item, Key
from clip_grounding.regions import decode_region
from clip_grounding.relevance.batches import make_batches
from clip_grounding.relevance.job import Explainer


@dataclass(frozen=True)
class Passes:
    """What all passes of a direction share.

    Attributes
    ----------
    direction : {"text_to_image", "image_to_text"}
    masks : DataFrame
        Rows of the masks table, of ``image_to_text``.
    read_image : callable
        Takes file name, height and width; returns uint8 RGB of shape (height, width, 3).
    """

    direction: str
    masks: pd.DataFrame | None
    read_image: ReadImage

    def explain(
        self,
        explainer: Explainer,
        items: list[Item],
        targets: dict[Key, Tensor],
        shifted: bool = False,
    ) -> dict[Key, np.ndarray]:
        """Compute the maps of every phrase of the items.

        Parameters
        ----------
        explainer : Explainer
        items : list of Item
        targets : dict of Key to Tensor, shape (n_targets, width)
            The embeddings that a phrase is explained for.
        shifted : bool
            Explain images that are moved by a pixel.

        Returns
        -------
        dict of Key to ndarray of float64, shape (n_targets, n_units)
        """
        maps: dict[Key, np.ndarray] = {}
        for batch, own in self._explain_batches(explainer, items, targets, shifted):
            for item, rows in zip(batch, own, strict=True):
                values = unit_values(rows, item.units)
                counts = [len(targets[key]) for key in item.keys]
                parts = np.split(values, np.cumsum(counts)[:-1])
                maps.update(zip(item.keys, parts, strict=True))
        return maps

    def _explain_batches(self, explainer, items, targets, shifted):
        def stack(batch):
            return [torch.cat([targets[key] for key in item.keys]) for item in batch]

        if self.direction == "image_to_text":
            for batch in make_batches(items, explainer.fit.size):
                tokens = [item.tokens for item in batch]
                yield batch, explainer.explain_texts(tokens, stack(batch))
            return

        def prepare(item: Item) -> np.ndarray:
            pixels = explainer.preprocess(self.read_image(*item.file))
            return shift_pixels(pixels) if shifted else pixels

        for batch, pixels in explainer.prepare(items, prepare):
            yield batch, explainer.explain_images(pixels, stack(batch))

    def embed_targets(
        self, explainer: Explainer, items: list[Item], shifted: bool = False
    ) -> dict[Key, Tensor]:
        """Embed what each phrase is explained for, (width,): its text, or its region's image.

        `shifted` moves the regions' images by a pixel.
        """
        if self.direction == "text_to_image":
            texts = {
                key: text
                for item in items
                for key, text in zip(item.keys, item.phrases["utterance"], strict=True)
            }
            embeddings = explainer.embed_texts(list(texts.values()))
            return {key: embeddings[text] for key, text in texts.items()}
        assert self.masks is not None
        counts = self.masks.set_index(["image_id", "mask"])[["height", "width", "counts"]]

        def prepare(item: Item) -> list[np.ndarray]:
            pixels, regions = self.read_image(*item.file), []
            for mask in item.phrases["mask"]:
                height, width, code = counts.loc[(item.image_id, mask)]
                region = decode_region(height, width, code, f"image {item.image_id}, mask {mask}")
                own = explainer.preprocess(pixels * region[..., None])
                regions.append(shift_pixels(own) if shifted else own)
            return regions

        targets: dict[Key, Tensor] = {}
        for batch, prepared in explainer.prepare(items, prepare):
            keys = [key for item in batch for key in item.keys]
            regions = [region for own in prepared for region in own]
            targets.update(zip(keys, explainer.embed_images(regions), strict=True))
        return targets


def shift_pixels(pixels: np.ndarray) -> np.ndarray:
    """Move (3, size, size) right and down by one pixel; the first row and column stay."""
    moved = pixels.copy()
    moved[:, 1:, 1:] = pixels[:, :-1, :-1]
    moved[:, 0, 1:] = pixels[:, 0, :-1]
    moved[:, 1:, 0] = pixels[:, :-1, 0]
    return moved
