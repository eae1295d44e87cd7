"""Run a transformers block with its inner tensors exposed.

CLIP's and SigLIP's blocks have one structure: norm, attention, residual, norm, MLP, residual.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Step:
    """A block with its attention in the graph.

    Attributes
    ----------
    queries, keys, values : Tensor, shape (n, n_heads, n_tokens, head_width)
    attention : Tensor, shape (n, n_heads, n_tokens, n_tokens)
        Post-softmax.
    context : Tensor, shape (n, n_tokens, n_heads, head_width)
        The heads' outputs, before the output projection.
    output : Tensor, shape (n, n_tokens, width)
        The block's output.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    attention: Tensor
    context: Tensor
    output: Tensor


def open_step(block: nn.Module, hidden: Tensor, causal: bool, single_head: bool = False) -> Step:
    """Run a block for all tokens; `single_head` recomputes its attention with one head."""
    queries, keys, values = project_heads(block, hidden, single_head)
    logits = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
    if causal:
        logits = logits.masked_fill(~causal_mask(hidden), -torch.inf)
    attention = logits.softmax(-1)
    context = (attention @ values).transpose(1, 2)
    return Step(queries, keys, values, attention, context, finish_block(block, hidden, context))


def causal_mask(hidden: Tensor) -> Tensor:
    """Return bool (n_tokens, n_tokens), true where a row may see a column."""
    n_tokens = hidden.shape[1]
    return torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=hidden.device).tril()


def attention_mask(keep: Tensor, causal: bool) -> Tensor:
    """Return bool (n, 1, n_tokens or 1, n_tokens) of the columns that each row may see."""
    mask = keep[:, None, None]
    return mask & causal_mask(keep) if causal else mask


def split_heads(projected: Tensor, n_heads: int) -> Tensor:
    """Reshape (n, n_tokens, width) to (n, n_heads, n_tokens, head_width)."""
    return projected.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def project_heads(
    block: nn.Module, hidden: Tensor, single_head: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute queries, keys and values of a block, each (n, n_heads, n_tokens, head_width)."""
    attention = block.self_attn
    n_heads = 1 if single_head else attention.num_heads
    normed = block.layer_norm1(hidden)
    return tuple(
        split_heads(projection(normed), n_heads)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )


def finish_block(block: nn.Module, residual: Tensor, context: Tensor) -> Tensor:
    """Run the rest of a block after its attention; `context` is (..., n_heads, head_width)."""
    hidden = residual + block.self_attn.out_proj(context.flatten(-2))
    return hidden + block.mlp(block.layer_norm2(hidden))
