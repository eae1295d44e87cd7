"""The attention itself: how much the pooled token of the last layer attends to each token."""

import torch
from torch import Tensor

from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "the last layer's attention, averaged over its heads; blind to the prompt",
    "uses_prompt": False,
    "refuses": {},
    "parameters": {},
    "cost": {"passes": 0, "backward": 0},
}


@torch.no_grad()
def raw_attention(
    clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor
) -> Tensor:
    """Compute the mean over heads of A[r, ·]; see `clip_grounding.attribution`."""
    return clip.open_pool(tower, inputs).attention.mean(1)[items]
