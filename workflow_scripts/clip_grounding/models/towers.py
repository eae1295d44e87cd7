"""Run a model's two towers: without autograd to the last attention, then row by row.

Only one query of a tower's last attention reaches the embedding: CLS or the end-of-text token
in the last block of CLIP, the learned probe in SigLIP's pooling head. So a tower is its
`blocks`, in which every token attends, and its `pool`, which computes that one row; the
attention layers, called steps, are the blocks and then the pool. `Pooled.embed` carries the
row to the embedding, so attributions can differentiate a tail that costs next to nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor, nn

from clip_grounding.models.pools import BlockPool, HeadPool, Pooled
from clip_grounding.models.steps import Step, attention_mask, finish_block, open_step, project_heads


@dataclass(frozen=True)
class Tower:
    """One tower of a model.

    Attributes
    ----------
    embed : callable
        Inputs (pixels or token ids) to the first block's input, (n, n_tokens, width).
    blocks : tuple of Module
        The transformer blocks before the pool.
    pool : BlockPool or HeadPool
        The last attention, which has one query per item.
    causal : bool
        Whether a token sees only those before it.
    pooled_rows : callable
        Inputs to the row that each item's pool has as its query, (n,).
    content : callable
        Inputs to bool (n, n_tokens): true at patches and words, false at special tokens and
        padding.
    blank : callable
        Inputs to the same inputs without their content.
    precision : torch.dtype
        The arithmetic of the blocks where nothing is differentiated. The pool and all
        gradients are in float32: attention times its gradient underflows in half precision.
    """

    embed: Callable[[Tensor], Tensor]
    blocks: tuple[nn.Module, ...]
    pool: BlockPool | HeadPool
    causal: bool
    pooled_rows: Callable[[Tensor], Tensor]
    content: Callable[[Tensor], Tensor]
    blank: Callable[[Tensor], Tensor]
    precision: torch.dtype = torch.float32

    @property
    def n_steps(self) -> int:
        """The number of attention layers in the tower."""
        return len(self.blocks) + 1

    @torch.no_grad()
    def run(self, inputs: Tensor, depth: int | None = None) -> Tensor:
        """Run `inputs` through the first `depth` blocks, or all; return (n, n_tokens, width)."""
        with self._arithmetic(inputs.device):
            hidden = self._through(self.embed(inputs), self.blocks[:depth])
        return self._widen(hidden)

    @torch.no_grad()
    def embed_kept(self, hidden: Tensor, rows: Tensor, keep: Tensor) -> Tensor:
        """Compute unit embeddings of items with some tokens taken out of the sequence.

        Parameters
        ----------
        hidden : Tensor, shape (n, n_tokens, width)
            The first block's input.
        rows : Tensor of int64, shape (n,)
            As returned by `pooled_rows`.
        keep : Tensor of bool, shape (n, n_tokens)
            False at tokens that no token attends to at any step.
        """
        with self._arithmetic(hidden.device):
            hidden = self._through(hidden, self.blocks, keep)
        return self.pool.open(self._widen(hidden), rows, keep).embeddings()

    @torch.no_grad()
    def embed_gathered(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """Compute the unit embeddings (n, width) of sequences that hold only the kept tokens.

        The same as `embed_kept` of the whole sequences, at the cost of the short ones.

        Parameters
        ----------
        hidden : Tensor, shape (n, n_kept, width)
            The first block's input at the kept tokens, in their order.
        rows : Tensor of int64, shape (n,)
            Where the pooled row is among them.
        """
        with self._arithmetic(hidden.device):
            hidden = self._through(hidden, self.blocks)
        return self.pool.open(self._widen(hidden), rows).embeddings()

    def embed_hidden(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """Compute unit embeddings (n, width) of the first block's inputs, with autograd."""
        return self.pool.open(self._through(hidden, self.blocks), rows).embeddings()

    def open_blocks(
        self, hidden: Tensor, blocks: tuple[nn.Module, ...], single_head: bool = False
    ) -> tuple[list[Step], Tensor]:
        """Run `hidden` through blocks with their inner tensors in the graph.

        Returns
        -------
        steps : list of Step
        hidden : Tensor, shape (n, n_tokens, width)
        """
        steps = []
        for block in blocks:
            step = open_step(block, hidden, self.causal, single_head)
            steps.append(step)
            hidden = step.output
        return steps, hidden

    def _through(self, hidden: Tensor, blocks, keep: Tensor | None = None) -> Tensor:
        mask = None if keep is None else attention_mask(keep, self.causal)
        for block in blocks:
            queries, keys, values = project_heads(block, hidden)
            context = F.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask, is_causal=self.causal and mask is None
            )
            hidden = finish_block(block, hidden, context.transpose(1, 2))
        return hidden

    def _arithmetic(self, device: torch.device):
        is_half = self.precision is not torch.float32
        return torch.autocast(device.type, self.precision, enabled=is_half)

    def _widen(self, hidden: Tensor) -> Tensor:
        return hidden if self.precision is torch.float32 else hidden.float()


@dataclass(frozen=True)
class Clip:
    """A CLIP-like model: two towers, and the scale and bias of their similarity.

    Attributes
    ----------
    image, text : Tower
    logit_scale, logit_bias : float
        The similarity of an image and a text is ``logit_scale`` times their cosine, plus
        ``logit_bias``: the logit of CLIP's softmax or of SigLIP's sigmoid.
    grid : tuple of int
        Rows and columns of the image tower's patches.
    image_size, patch_size : int
        Pixels of a side of the input, and of a patch.
    device : torch.device
    """

    image: Tower
    text: Tower
    logit_scale: float
    logit_bias: float
    grid: tuple[int, int]
    image_size: int
    patch_size: int
    device: torch.device

    @torch.no_grad()
    def embed(self, tower: Tower, inputs: Tensor) -> Tensor:
        """Compute unit embeddings (n, width) of pixels (n, 3, size, size) or ids (n, n_tokens)."""
        return self.open_pool(tower, inputs).embeddings()

    def open_pool(self, tower: Tower, inputs: Tensor) -> Pooled:
        """Run a tower to its last attention without autograd."""
        with torch.no_grad():
            return tower.pool.open(tower.run(inputs), tower.pooled_rows(inputs))

    def similarity(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """Compute the similarity (n_pairs,) of unit embeddings, pair by pair."""
        return self.logit_scale * (embeddings * targets).sum(-1) + self.logit_bias


def with_precision(clip: Clip, precision: torch.dtype) -> Clip:
    """Return the same model with its blocks run in another precision."""
    towers = {name: getattr(clip, name) for name in ("image", "text")}
    return replace(
        clip, **{name: replace(tower, precision=precision) for name, tower in towers.items()}
    )
