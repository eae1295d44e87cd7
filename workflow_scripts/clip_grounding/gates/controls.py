"""Pseudo-methods whose maps are known to be worthless, to see whether the gates find that out.

They are called as attribution methods are; see `clip_grounding.attribution`.
"""

import hashlib

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor

from clip_grounding.models.towers import Clip, Tower
from clip_grounding.scoring.draws import center_map

_SOBEL = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))


def edges(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute the mean Sobel energy of each patch's pixels: an edge detector, for images alone."""
    kernel = torch.tensor(_SOBEL, dtype=inputs.dtype, device=inputs.device)
    kernels = torch.stack([kernel, kernel.T])[:, None]
    gray = F.pad(inputs.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    energy = F.conv2d(gray, kernels).square().sum(1, keepdim=True)
    return _place(tower, inputs, F.avg_pool2d(energy, clip.patch_size).flatten(1))[items]


def center(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute a Gaussian in the middle of the image, whatever it shows."""
    values = torch.from_numpy(center_map(*clip.grid)).to(inputs.device).flatten()
    return _place(tower, inputs, values.expand(len(inputs), -1))[items]


def random(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute a random linear function of the target at each place, another one for each model."""
    weights = tower.pool.output_projection.weight.detach().float().cpu().numpy()
    digest = hashlib.sha256(weights.tobytes()).digest()
    generator = np.random.default_rng(int.from_bytes(digest, "big"))
    n_tokens = tower.content(inputs).shape[1]  # of the longest text: the first are always alike
    functions = generator.standard_normal((n_tokens, targets.shape[1]), dtype=np.float32)
    return targets.float() @ torch.from_numpy(functions).to(targets.device).T


def _place(tower: Tower, inputs: Tensor, values: Tensor) -> Tensor:
    """Put values (n, n_patches) at the content tokens of (n, n_tokens)."""
    content = tower.content(inputs)
    placed = torch.zeros(content.shape, device=inputs.device)
    placed[content] = values.float().flatten()
    return placed
