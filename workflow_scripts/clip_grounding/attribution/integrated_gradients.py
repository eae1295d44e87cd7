"""Integrated gradients of Sundararajan et al. (ICML 2017) on the embeddings of the tokens.

The gradient of the similarity is integrated along the straight line from an input without
content (an image of the mean colour; a text whose words are padding) to the input.
"""

import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from clip_grounding.attribution._gradients import rounds
from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "gradients integrated from an empty input (Sundararajan et al., ICML 2017)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {
        "steps": {
            "description": "Points at which the gradient is taken, by the Gauss-Legendre rule.",
            "type": "integer",
            "minimum": 1,
            "maximum": 1000000,
            "default": 64,
        }
    },
    "cost": {"passes": 0, "backward": "steps", "layers": "all"},
}


def integrated_gradients(
    clip: Clip, tower: Tower, inputs: Tensor, targets: Tensor, items: Tensor, steps: int = 64
) -> Tensor:
    """Compute (x − x₀)·∫∂s, summed over channels; see `clip_grounding.attribution`.

    x is the first block's input. The relevances of an item sum to s(x) − s(x₀), up to the
    error of the rule.
    """
    rows = tower.pooled_rows(inputs)
    with torch.no_grad():
        hidden, blank = tower.embed(inputs), tower.embed(tower.blank(inputs))
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    for chosen, pairs in rounds(items, len(hidden)):
        own_rows, own_targets = rows[chosen], targets[pairs]

        def similarity(points: Tensor, own_rows=own_rows, own_targets=own_targets) -> Tensor:
            return clip.similarity(tower.embed_hidden(points, own_rows), own_targets)

        attributed = IntegratedGradients(similarity).attribute(
            hidden[chosen], blank[chosen], n_steps=steps, internal_batch_size=len(chosen)
        )
        relevance[pairs] = attributed.sum(-1).float()
    return relevance
