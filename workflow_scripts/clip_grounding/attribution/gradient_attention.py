"""Gradient-weighted attention of Chefer et al. (ICCV 2021), without a backward pass per phrase.

With A a layer's attention and G = ∂s/∂A for the similarity s, Ā = mean over heads of
relu(G ⊙ A); starting from R = I, each layer used, first to last, sets R ← R + Ā·R
(Chefer et al., eq. 5 and 6). The relevance is the pooled row of R. The poster uses the
last layer only.
"""

from typing import Literal

import torch
from torch import Tensor

from clip_grounding.towers import Clip, LastBlock, Tower, finish_block, project_heads


def gradient_attention(
    clip: Clip,
    tower: Tower,
    inputs: Tensor,
    targets: Tensor,
    items: Tensor,
    layers: int | Literal["last", "all"] = "last",
) -> Tensor:
    """Relevance of every token of an item for its similarity to a target embedding.

    Parameters
    ----------
    clip : Clip
    tower : Tower
        The tower to explain, `clip.image` or `clip.text`.
    inputs : Tensor
        Pixels (n, 3, size, size) or token ids (n, n_tokens) of the items; padding after
        the end-of-text token changes nothing.
    targets : Tensor, shape (n_pairs, width)
        Unit embeddings of the other tower.
    items : Tensor of int64, shape (n_pairs,)
        The item that each target is paired with, in ascending order.
    layers : {"last", "all"} or int
        The layers used: the last, all, or the last that many.

    Returns
    -------
    Tensor, shape (n_pairs, n_tokens), float32
        The pooled row of R, without the identity's share of the pooled token itself.
    """
    depth = len(tower.layers)
    used = {"last": 1, "all": depth}.get(layers, layers)
    if not 1 <= used <= depth:
        raise ValueError(f"layers: {layers} of a tower with {depth}")
    hidden = tower.run(inputs, depth - used)
    rows = clip.pooled_rows(inputs)
    if used == 1:
        with torch.no_grad():
            block = tower.open_last_block(hidden, rows)
        return _last_layer_row(clip, block, targets, items)
    return _several_layers_row(clip, tower, hidden, rows, targets, items, used)


def _last_layer_row(clip: Clip, block: LastBlock, targets: Tensor, items: Tensor) -> Tensor:
    """Ā[r, ·] of the last layer in closed form: G[h, r, j] = ⟨g_h, v_h[j]⟩, g = ∂s/∂context."""
    context = block.context[items].requires_grad_()
    similarity = clip.logit_scale * (block.embed(context, items) * targets).sum()
    (context_gradient,) = torch.autograd.grad(similarity, context)
    counts = torch.bincount(items, minlength=len(block.residual)).tolist()
    rows = [
        (attention * torch.einsum("phd,htd->pht", gradient, values)).relu().mean(1)
        for gradient, attention, values in zip(
            context_gradient.split(counts), block.attention, block.values, strict=True
        )
    ]  # per item, so that no pair copies the item's values
    return torch.cat(rows)


def _several_layers_row(
    clip: Clip,
    tower: Tower,
    hidden: Tensor,
    rows: Tensor,
    targets: Tensor,
    items: Tensor,
    used: int,
) -> Tensor:
    """Pooled row of (I + Ā_L)…(I + Ā_l), multiplied from the left: r ← r + r·Ā, last to first.

    The items' forward pass is shared; round k runs one backward pass for the k-th target
    of every item.
    """
    maps = []
    hidden = hidden.detach().requires_grad_()
    for layer in tower.layers[-used:-1]:
        attention, hidden = _block_with_attention(layer, hidden, tower.causal)
        maps.append(attention)
    block = tower.open_last_block(hidden, rows)
    maps.append(block.attention)

    counts = torch.bincount(items, minlength=len(hidden))
    firsts = counts.cumsum(0) - counts
    relevance = targets.new_zeros(len(targets), hidden.shape[1])
    embeddings = block.embeddings()
    n_rounds = int(counts.max()) if len(targets) else 0
    for k in range(n_rounds):
        chosen = (counts > k).nonzero()[:, 0]
        pairs = firsts[chosen] + k
        similarity = clip.logit_scale * (embeddings[chosen] * targets[pairs]).sum()
        gradients = torch.autograd.grad(similarity, maps, retain_graph=k + 1 < n_rounds)
        weighted = [
            (gradient[chosen] * attention[chosen]).relu().mean(1).detach()
            for gradient, attention in zip(gradients, maps, strict=True)
        ]
        row = weighted[-1]
        pooled = torch.zeros_like(row)
        pooled[torch.arange(len(chosen)), rows[chosen]] = 1
        for layer_map in reversed(weighted[:-1]):
            row = row + torch.einsum("nt,ntu->nu", row + pooled, layer_map)
        relevance[pairs] = row
    return relevance


def _block_with_attention(layer, hidden: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """Run a block with its attention (n, n_heads, n_tokens, n_tokens) in the graph."""
    queries, keys, values = project_heads(layer, hidden)
    logits = queries @ keys.transpose(-1, -2) * layer.self_attn.scale
    if causal:
        n_tokens = hidden.shape[1]
        later = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=hidden.device).triu(1)
        logits = logits.masked_fill(later, -torch.inf)
    attention = logits.softmax(-1)
    return attention, finish_block(layer, hidden, (attention @ values).transpose(1, 2))
