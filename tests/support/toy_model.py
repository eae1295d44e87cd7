"""A model that is a sum over its patches, with weights that tests choose for every text.

The similarity of a text and an image of which some tokens are kept is Σ of the text's weights
at these tokens, whatever the pixels: what evidence measures of it can be worked out by hand.
"""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from clip_grounding.geometry import WHOLE
from clip_grounding.relevance.batches import MemoryFit
from clip_grounding.relevance.job import Explainer


class SumTower:
    """Embeds a sequence as its tokens' positions, and counts the sequences."""

    causal = False

    def __init__(self, n_patches: int):
        self.n_tokens = 1 + n_patches
        self.n_passes = 0

    def embed(self, pixels: Tensor) -> Tensor:
        return torch.eye(self.n_tokens).expand(len(pixels), -1, -1)

    def content(self, pixels: Tensor) -> Tensor:
        return (torch.arange(self.n_tokens) > 0).expand(len(pixels), -1)

    def pooled_rows(self, pixels: Tensor) -> Tensor:
        return torch.zeros(len(pixels), dtype=torch.int64)

    def embed_gathered(self, hidden: Tensor, rows: Tensor) -> Tensor:
        self.n_passes += len(hidden)
        return hidden.sum(1)


class BlankPreprocessor:
    """Shows a model nothing of an image, whatever its patches cover."""

    def __init__(self, view):
        self.view = view

    def __call__(self, image):
        return np.zeros((3, 1, 1), np.float32)


class SumExplainer(Explainer):
    """`weights_of` gives a text's weights at the patches, float (rows, columns)."""

    def __init__(self, grid, weights_of, batch_size=4, view=WHOLE):
        tower = SumTower(grid[0] * grid[1])
        clip = SimpleNamespace(image=tower, grid=grid, device=torch.device("cpu"))
        super().__init__(clip, None, BlankPreprocessor(view), None, MemoryFit(batch_size))
        object.__setattr__(self, "weights_of", weights_of)

    def embed_texts(self, texts):
        def target(text):
            weights = np.asarray(self.weights_of(text), np.float32).ravel()
            return torch.from_numpy(np.concatenate([[0.0], weights]).astype(np.float32)) / 100

        return {text: target(text) for text in texts}


def blank_image(narratives):
    """What reads an image of the size that its narrative records."""
    sizes = narratives.drop_duplicates("file_name").set_index("file_name")[["height", "width"]]

    def read(file_name, height, width):
        assert (height, width) == tuple(sizes.loc[file_name])
        return np.zeros((height, width, 3), np.uint8)

    return read
