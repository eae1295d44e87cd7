"""Grad-ECLIP of Zhao et al. (ICML 2024): values weighted by channel gradients and key similarity.

With g = ∂s/∂context at the pooled row r of a layer, and λ_n the cosine of W_o·q_r and W_o·k_n,
min-max scaled over the patches or words, a token's relevance is relu(Σ_d g_d·v[n, d]·λ_n),
summed over the layers used.
"""

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor, nn

from clip_grounding.attribution._gradients import count_layers, scale_to_unit, target_gradients
from clip_grounding.models.towers import Clip, Tower

CONTRACT = {
    "summary": "values weighted by channel gradients and key similarity (Grad-ECLIP, Zhao et al.,"
    " ICML 2024)",
    "uses_prompt": True,
    "refuses": {},
    "parameters": {
        "layers": {
            "description": (
                "Which layers take part: last, all, a number n for the last n, or auto: as"
                " published, the last for images and the last 8 for texts."
            ),
            "anyOf": [
                {"enum": ["auto", "last", "all"]},
                {"type": "integer", "minimum": 1, "maximum": 1000},
            ],
            "default": "auto",
        },
        "heads": {
            "description": (
                "multi explains the model as it is. single recomputes the layers with one"
                " attention head, as the published code does, and explains that other model."
            ),
            "enum": ["multi", "single"],
            "default": "multi",
        },
    },
    "cost": {"passes": 0, "backward": 1, "layers": "layers"},
}

_TEXT_LAYERS = 8


def grad_eclip(
    clip: Clip,
    tower: Tower,
    inputs: Tensor,
    targets: Tensor,
    items: Tensor,
    layers: int | Literal["auto", "last", "all"] = "auto",
    heads: Literal["multi", "single"] = "multi",
) -> Tensor:
    """Compute Grad-ECLIP's map; see `clip_grounding.attribution`.

    A pooling head's probe is its query. For `layers` and `heads` see the contract.
    """
    if layers == "auto":
        layers = "last" if tower is clip.image else min(_TEXT_LAYERS, tower.n_steps)
    first = tower.n_steps - count_layers(layers, tower.n_steps)
    single_head = heads == "single"
    hidden = tower.run(inputs, first).requires_grad_()
    rows = tower.pooled_rows(inputs)
    steps, hidden = tower.open_blocks(hidden, tower.blocks[first:], single_head)
    pooled = tower.pool.open(hidden, rows, single_head=single_head)

    index = torch.arange(len(rows), device=rows.device)
    content = tower.content(inputs)
    contexts = [*(step.context for step in steps), pooled.context]
    values, similarities = [], []
    for block, step in zip(tower.blocks[first:], steps, strict=True):
        query = step.queries.transpose(1, 2)[index, rows]
        values.append(_join_heads(step.values))
        similarities.append(_key_similarity(block.self_attn.out_proj, query, step.keys, content))
    values.append(_join_heads(pooled.values))
    similarities.append(
        _key_similarity(tower.pool.output_projection, pooled.query, pooled.keys, content)
    )
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    for chosen, pairs, gradients in target_gradients(
        clip, pooled.embeddings(), targets, items, contexts
    ):
        for gradient, value, similarity in zip(gradients, values, similarities, strict=True):
            if gradient.ndim == 4:  # of a block, with a row for every token
                gradient = gradient[index[: len(chosen)], rows[chosen]]
            weighted = torch.einsum("nd,ntd->nt", gradient.flatten(1), value[chosen])
            relevance[pairs] += (weighted * similarity[chosen]).relu()
    return relevance


def _join_heads(split: Tensor) -> Tensor:
    """Reshape (n, n_heads, n_tokens, head_width) to (n, n_tokens, width), out of the graph."""
    return split.detach().transpose(1, 2).flatten(-2)


def _key_similarity(projection: nn.Linear, query: Tensor, keys: Tensor, content: Tensor) -> Tensor:
    """Compute λ (n, n_tokens): cosine of projected query and keys, min-max over the content."""
    query = F.linear(query.detach().flatten(1), projection.weight)
    keys = F.linear(_join_heads(keys), projection.weight)
    return scale_to_unit(F.cosine_similarity(query[:, None], keys, dim=-1), content)
