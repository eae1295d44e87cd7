"""Compute the last attention of a tower at its one query: a block's row, or a head's probe."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor, nn

from clip_grounding.models.steps import finish_block, split_heads


@dataclass(frozen=True)
class Pooled:
    """A tower's last attention at the one query of each item.

    Attributes
    ----------
    pool : BlockPool or HeadPool
    residual : Tensor, shape (n, width), or None
        What the attention's output is added to; a pooling head has none.
    query : Tensor, shape (n, n_heads, head_width)
    keys, values : Tensor, shape (n, n_heads, n_tokens, head_width)
    attention : Tensor, shape (n, n_heads, n_tokens)
        Post-softmax attention of the query.
    visible : Tensor of bool, shape (n, n_tokens)
        The columns that the query may see.
    context : Tensor, shape (n, n_heads, head_width)
        The heads' outputs, before the output projection.
    """

    pool: "BlockPool | HeadPool"
    residual: Tensor | None
    query: Tensor
    keys: Tensor
    values: Tensor
    attention: Tensor
    visible: Tensor
    context: Tensor

    def embed(self, context: Tensor, items: Tensor) -> Tensor:
        """Compute unit embeddings from heads' outputs, (n_pairs, width).

        Parameters
        ----------
        context : Tensor, shape (n_pairs, n_heads, head_width)
        items : Tensor of int64, shape (n_pairs,)
            Which item each pair belongs to.
        """
        residual = None if self.residual is None else self.residual[items]
        return F.normalize(self.pool.finish(context, residual), dim=-1)

    def embeddings(self) -> Tensor:
        """Compute the unit embeddings of the items, (n, width)."""
        items = torch.arange(len(self.context), device=self.context.device)
        return self.embed(self.context, items)


@dataclass(frozen=True)
class BlockPool:
    """The last block at one row: both towers of CLIP, and SigLIP's text tower.

    Attributes
    ----------
    block : Module
    norm : LayerNorm
        After the block.
    projection : Linear
        To the shared embedding space.
    causal : bool
    """

    block: nn.Module
    norm: nn.Module
    projection: nn.Module
    causal: bool

    @property
    def output_projection(self) -> nn.Linear:
        """W_o, which mixes the heads' outputs."""
        return self.block.self_attn.out_proj

    def open(
        self,
        hidden: Tensor,
        rows: Tensor,
        keep: Tensor | None = None,
        single_head: bool = False,
    ) -> Pooled:
        """Compute the attention of one row per item.

        Parameters
        ----------
        hidden : Tensor, shape (n, n_tokens, width)
            The block's input.
        rows : Tensor of int64, shape (n,)
        keep : Tensor of bool, shape (n, n_tokens), optional
            False at columns that are not seen.
        single_head : bool
            Recompute the attention with one head.
        """
        attention = self.block.self_attn
        n_heads = 1 if single_head else attention.num_heads
        items = torch.arange(len(hidden), device=hidden.device)
        normed = self.block.layer_norm1(hidden)
        keys = split_heads(attention.k_proj(normed), n_heads)
        values = split_heads(attention.v_proj(normed), n_heads)
        query = attention.q_proj(normed[items, rows]).unflatten(-1, (n_heads, -1))
        visible = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        if self.causal:
            visible = torch.arange(hidden.shape[1], device=hidden.device) <= rows[:, None]
        if keep is not None:
            visible = visible & keep
        return _attend(self, hidden[items, rows], query, keys, values, visible)

    def finish(self, context: Tensor, residual: Tensor) -> Tensor:
        """Compute embeddings, not normalised, from heads' outputs (..., n_heads, head_width)."""
        return self.project(finish_block(self.block, residual, context))

    def project(self, hidden: Tensor) -> Tensor:
        """Map hidden states after the last block (..., width) to the embedding space."""
        return self.projection(self.norm(hidden))

    def read_values(self, values: Tensor) -> Tensor:
        """Embed each token's value alone, without residual or MLP (MaskCLIP)."""
        return self.project(self.output_projection(values.flatten(-2)))


@dataclass(frozen=True)
class HeadPool:
    """SigLIP's attention-pooling head: a learned probe attends to all tokens.

    Attributes
    ----------
    norm : LayerNorm
        Before the head.
    head : Module
        With ``probe``, ``attention`` (torch's), ``layernorm`` and ``mlp``.
    """

    norm: nn.Module
    head: nn.Module

    @property
    def output_projection(self) -> nn.Linear:
        """W_o, which mixes the heads' outputs."""
        return self.head.attention.out_proj

    def open(
        self,
        hidden: Tensor,
        rows: Tensor,
        keep: Tensor | None = None,
        single_head: bool = False,
    ) -> Pooled:
        """Compute the probe's attention; arguments as for `BlockPool.open`, `rows` unused."""
        attention = self.head.attention
        n_heads = 1 if single_head else attention.num_heads
        weights = attention.in_proj_weight.chunk(3)
        biases = attention.in_proj_bias.chunk(3)
        normed = self.norm(hidden)
        probe = F.linear(self.head.probe[0, 0], weights[0], biases[0])
        keys, values = (
            split_heads(F.linear(normed, weights[part], biases[part]), n_heads) for part in (1, 2)
        )
        query = probe.unflatten(-1, (n_heads, -1)).expand(len(hidden), -1, -1)
        visible = keep
        if keep is None:
            visible = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        return _attend(self, None, query, keys, values, visible)

    def finish(self, context: Tensor, residual: None = None) -> Tensor:
        """Compute embeddings, not normalised, from heads' outputs (..., n_heads, head_width)."""
        hidden = self.output_projection(context.flatten(-2))
        return hidden + self.head.mlp(self.head.layernorm(hidden))

    def read_values(self, values: Tensor) -> Tensor:
        """Embed each token's value as if the probe attended to that token alone."""
        return self.finish(values)


def _attend(
    pool: BlockPool | HeadPool,
    residual: Tensor | None,
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    visible: Tensor,
) -> Pooled:
    logits = torch.einsum("nhd,nhtd->nht", query, keys) * query.shape[-1] ** -0.5
    weights = logits.masked_fill(~visible[:, None], -torch.inf).softmax(-1)
    context = torch.einsum("nht,nhtd->nhd", weights, values)
    return Pooled(pool, residual, query, keys, values, weights, visible, context)
