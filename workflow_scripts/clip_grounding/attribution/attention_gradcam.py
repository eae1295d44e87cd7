"""GradCAM on attention maps, as Chefer et al. (ICCV 2021) define it as a baseline.

The heads of the last layer's attention are the channels: each is weighted by the mean of its
gradient.
"""

import torch
from torch import Tensor

from clip_grounding.attribution._gradients import pool_gradients
from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "GradCAM with the last layer's attention heads as channels (Chefer et al., ICCV"
    " 2021)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {},
    "cost": {"passes": 0, "backward": 1, "layers": "last"},
}


def attention_gradcam(
    clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor
) -> Tensor:
    """Compute relu(mean_h ḡ_h·A[h, r, ·]); see `clip_grounding.attribution`.

    ḡ_h is the mean of G[h, r, ·] over the columns that the row may see. As G[h, r, j] =
    ⟨g_h, v_h[j]⟩, it is ⟨g_h, mean of v_h⟩.
    """
    pooled = clip.open_pool(tower, inputs)
    gradients = pool_gradients(clip, pooled, targets, items)
    visible = pooled.visible[:, None, :, None]
    means = (pooled.values * visible).sum(2) / visible.sum(2)
    weights = (gradients * means[items]).sum(-1)
    return torch.einsum("ph,pht->pt", weights, pooled.attention[items]).relu() / weights.shape[1]
