"""Gradient-weighted attention of Chefer et al. (ICCV 2021), without a backward pass per phrase.

With A a layer's attention and G = ∂s/∂A for the similarity s, Ā = mean over heads of
relu(G ⊙ A); starting from R = I, each layer used, first to last, sets R ← R + Ā·R
(Chefer et al., eq. 5 and 6). The relevance is the pooled row of R. The poster uses the
last layer only.
"""

from typing import Literal

import torch
from torch import Tensor

from clip_grounding.attribution._gradients import count_layers, pool_gradients, target_gradients
from clip_grounding.models.pools import Pooled
from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "attention weighted by its gradient (Chefer et al., ICCV 2021)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {
        "layers": {
            "description": (
                "Which layers of the transformer take part; the poster's choice is last, a number"
                " n means the last n."
            ),
            "anyOf": [
                {"enum": ["last", "all"]},
                {"type": "integer", "minimum": 1, "maximum": 1000},
            ],
            "default": "last",
        }
    },
    "cost": {"passes": 0, "backward": 1, "layers": "layers"},
}


def gradient_attention(
    clip: Clip,
    tower: Tower,
    inputs: Tensor,
    targets: Tensor,
    items: Tensor,
    layers: int | Literal["last", "all"] = "last",
) -> Tensor:
    """Compute the pooled row of R, without the identity's share of the pooled token itself.

    `layers` are the layers used: the last, all, or the last that many. For the other
    parameters and the result see `clip_grounding.attribution`.
    """
    used = count_layers(layers, tower.n_steps)
    if used == 1:
        return _last_layer_row(clip, clip.open_pool(tower, inputs), targets, items)
    return _several_layers_row(clip, tower, inputs, targets, items, used)


def _last_layer_row(clip: Clip, pooled: Pooled, targets: Tensor, items: Tensor) -> Tensor:
    """Compute Ā[r, ·] of the last layer: G[h, r, j] = ⟨g_h, v_h[j]⟩ with g = ∂s/∂context."""
    gradients = pool_gradients(clip, pooled, targets, items)
    counts = torch.bincount(items, minlength=len(pooled.context)).tolist()
    rows = [
        (attention * torch.einsum("phd,htd->pht", gradient, values)).relu().mean(1)
        for gradient, attention, values in zip(
            gradients.split(counts), pooled.attention, pooled.values, strict=True
        )
    ]  # per item, so that no pair copies the item's values
    return torch.cat(rows)


def _several_layers_row(
    clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor, used: int
) -> Tensor:
    """Compute the pooled row of (I + Ā_L)…(I + Ā_l) from the left: r ← r + r·Ā, last to first.

    A pooling head adds no identity, because its probe is not one of the tokens.
    """
    first = tower.n_steps - used
    hidden = tower.run(inputs, first).requires_grad_()
    rows = tower.pooled_rows(inputs)
    steps, hidden = tower.open_blocks(hidden, tower.blocks[first:])
    pooled = tower.pool.open(hidden, rows)
    maps = [*(step.attention for step in steps), pooled.attention]
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    for chosen, pairs, gradients in target_gradients(
        clip, pooled.embeddings(), targets, items, maps
    ):
        weighted = [
            (gradient * attention[chosen]).relu().mean(1).detach()
            for gradient, attention in zip(gradients, maps, strict=True)
        ]
        row = weighted[-1]
        identity = torch.zeros_like(row)
        if pooled.residual is not None:
            identity[torch.arange(len(chosen), device=rows.device), rows[chosen]] = 1
        for layer_map in reversed(weighted[:-1]):
            row = row + torch.einsum("nt,ntu->nu", row + identity, layer_map)
        relevance[pairs] = row
    return relevance
