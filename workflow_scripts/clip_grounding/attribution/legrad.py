"""LeGrad of Bousselham et al. (2024): each layer's similarity, differentiated by its attention.

The output of each layer is embedded as if it were the last one; the positive gradient of that
similarity by the layer's attention, averaged over heads and query rows, is summed over layers.
"""

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor

from clip_grounding.attribution._gradients import (
    count_layers,
    pool_gradients,
    scale_to_unit,
    target_gradients,
)
from clip_grounding.models.pools import BlockPool
from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "attention gradients of every layer's own similarity (LeGrad, Bousselham et al.,"
    " 2024)",
    "uses_prompt": True,
    "refuses": {
        "image_to_text": "it embeds the mean of a layer's tokens, and in a causal text tower most"
        " of them have not seen the text; the method is defined for images",
    },
    "parameters": {
        "layers": {
            "description": "Which blocks take part: all, last, or a number n for the last n.",
            "anyOf": [
                {"enum": ["all", "last"]},
                {"type": "integer", "minimum": 1, "maximum": 1000},
            ],
            "default": "all",
        }
    },
    "cost": {"passes": 1, "backward": 1, "layers": "layers", "kept": "last"},
}


def legrad(
    clip: Clip,
    tower: Tower,
    inputs: Tensor,
    targets: Tensor,
    items: Tensor,
    layers: int | Literal["all", "last"] = "all",
) -> Tensor:
    """Compute LeGrad's map, min-max scaled over the patches; see `clip_grounding.attribution`.

    A model without CLS embeds a layer's output by its pooling head, whose attention is then the
    one that is differentiated.
    """
    has_block = isinstance(tower.pool, BlockPool)
    blocks = (*tower.blocks, tower.pool.block) if has_block else tower.blocks
    first = len(blocks) - count_layers(layers, len(blocks))
    explain = _explain_block if has_block else _explain_by_head
    hidden = tower.run(inputs, first)
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    for block in blocks[first:]:
        own, hidden = explain(clip, tower, block, hidden, targets, items)
        relevance += own
    return scale_to_unit(relevance, tower.content(inputs)[items])


def _explain_block(clip, tower, block, hidden, targets, items) -> tuple[Tensor, Tensor]:
    """Compute E of one block from its attention (n_pairs, n_tokens), and the block's output."""
    (step,), output = tower.open_blocks(hidden.detach().requires_grad_(), (block,))
    embeddings = F.normalize(tower.pool.project(output.mean(1)), dim=-1)
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    for _, pairs, (gradient,) in target_gradients(
        clip, embeddings, targets, items, [step.attention]
    ):
        relevance[pairs] = gradient.relu().mean((1, 2))
    return relevance, output.detach()


@torch.no_grad()
def _explain_by_head(clip, tower, block, hidden, targets, items) -> tuple[Tensor, Tensor]:
    """Compute E of one block from the head's attention over its output, and that output."""
    _, hidden = tower.open_blocks(hidden, (block,))
    pooled = tower.pool.open(hidden, rows=None)
    with torch.enable_grad():
        gradients = pool_gradients(clip, pooled, targets, items)
    by_head = torch.einsum("phd,phtd->pht", gradients, pooled.values[items])
    return by_head.relu().mean(1), hidden
