"""GradCAM of Selvaraju et al. (ICCV 2017) on the tokens that enter the last attention.

A channel is weighted by its gradient's mean over the patches or words (eq. 1); the relevance
of a token is the positive part of its weighted channels' sum (eq. 2).
"""

import torch
from torch import Tensor

from clip_grounding.attribution._gradients import target_gradients
from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "GradCAM on the last layer's input (Selvaraju et al., ICCV 2017)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {},
    "cost": {"passes": 0, "backward": 1, "layers": "last"},
}


def gradcam(clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor) -> Tensor:
    """Compute relu(Σ_d mean_n(∂s/∂x)_d · x[n, d]); see `clip_grounding.attribution`."""
    hidden = tower.run(inputs).requires_grad_()
    embeddings = tower.pool.open(hidden, tower.pooled_rows(inputs)).embeddings()
    content = tower.content(inputs)[..., None]
    n_content = content.sum(1).clamp(min=1)
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    for chosen, pairs, (gradient,) in target_gradients(clip, embeddings, targets, items, [hidden]):
        weights = (gradient * content[chosen]).sum(1) / n_content[chosen]
        relevance[pairs] = torch.einsum("nd,ntd->nt", weights, hidden[chosen].detach()).relu()
    return relevance
