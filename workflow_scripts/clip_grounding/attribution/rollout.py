"""Attention rollout of Abnar and Zuidema (ACL 2020): attention multiplied through all layers.

Residual connections count as attention to oneself: each layer's mean attention plus the
identity, its rows normalised, is multiplied with those of the layers before.
"""

import torch
from torch import Tensor

from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "attention multiplied through all layers (Abnar and Zuidema, ACL 2020); blind to"
    " the prompt",
    "uses_prompt": False,
    "refuses": {},
    "parameters": {},
    "cost": {"passes": 1, "backward": 0},
}


@torch.no_grad()
def rollout(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute the pooled row of the product over all layers; see `clip_grounding.attribution`."""
    rows = tower.pooled_rows(inputs)
    hidden, means = tower.embed(inputs), []
    for block in tower.blocks:
        (step,), hidden = tower.open_blocks(hidden, (block,))
        means.append(step.attention.mean(1))
    pooled = tower.pool.open(hidden, rows)
    row = pooled.attention.mean(1)
    if pooled.residual is not None:  # the probe of a pooling head is none of the tokens
        identity = torch.zeros_like(row)
        identity[torch.arange(len(row), device=rows.device), rows] = 1
        row = (row + identity) / 2
    for mean in reversed(means):
        # A row of attention sums to 1, so half of it and half the identity do, too.
        row = (row + torch.einsum("nt,ntu->nu", row, mean)) / 2
    return row[items]
