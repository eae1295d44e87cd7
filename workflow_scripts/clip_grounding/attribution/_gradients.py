"""Gradients of similarities, many pairs at a time, shared by the attribution methods.

A pair is an item (an image, a text) with one of its targets, the other tower's embeddings.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from clip_grounding.errors import InputError
from clip_grounding.models.pools import Pooled
from clip_grounding.models.towers import Clip


def count_layers(layers: int | Literal["last", "all"], depth: int) -> int:
    """Return how many of a tower's `depth` layers are used, counted from the last.

    Raises
    ------
    InputError
        More than there are.
    """
    used = {"last": 1, "all": depth}.get(layers, layers)
    if not 1 <= used <= depth:
        raise InputError(
            f"layers: {layers} of a tower with {depth}: correct the attribution's `layers` in the"
            " config"
        )
    return used


def pool_gradients(clip: Clip, pooled: Pooled, targets: Tensor, items: Tensor) -> Tensor:
    """Compute ∂s/∂context of the last attention per pair, (n_pairs, n_heads, head_width).

    The gradient of its attention follows: G[h, j] = ⟨∂s/∂context[h], values[h, j]⟩.
    """
    context = pooled.context.detach()[items].requires_grad_()
    similarity = clip.similarity(pooled.embed(context, items), targets).sum()
    (gradient,) = torch.autograd.grad(similarity, context)
    return gradient


def rounds(items: Tensor, n_items: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the pairs in rounds, each with every item at most once.

    Parameters
    ----------
    items : Tensor of int64, shape (n_pairs,)
        The item of each pair, in ascending order.
    n_items : int

    Yields
    ------
    chosen, pairs : Tensor of int64
        The items of a round, and the pair of each.
    """
    counts = torch.bincount(items, minlength=n_items)
    firsts = counts.cumsum(0) - counts
    for k in range(int(counts.max()) if len(items) else 0):
        chosen = (counts > k).nonzero()[:, 0]
        yield chosen, firsts[chosen] + k


def target_gradients(
    clip: Clip, embeddings: Tensor, targets: Tensor, items: Tensor, tensors: Sequence[Tensor]
) -> Iterator[tuple[Tensor, Tensor, list[Tensor]]]:
    """Differentiate similarities with respect to inner tensors of one shared forward pass.

    Parameters
    ----------
    clip : Clip
    embeddings : Tensor, shape (n, width)
        Of the items, in the graph.
    targets : Tensor, shape (n_pairs, width)
    items : Tensor of int64, shape (n_pairs,)
        Ascending.
    tensors : sequence of Tensor, shape (n, ...)
        In the graph.

    Yields
    ------
    chosen, pairs : Tensor of int64
        As `rounds` gives them.
    gradients : list of Tensor, shape (n_chosen, ...)
        ∂s/∂tensor of the chosen items.
    """
    plan = list(rounds(items, len(embeddings)))
    for chosen, pairs in plan:
        similarity = clip.similarity(embeddings[chosen], targets[pairs]).sum()
        is_last = pairs is plan[-1][1]
        gradients = torch.autograd.grad(similarity, tensors, retain_graph=not is_last)
        yield chosen, pairs, [gradient[chosen] for gradient in gradients]


def scale_to_unit(values: Tensor, content: Tensor) -> Tensor:
    """Min-max each row (n, n_tokens) over its content tokens; a flat one becomes 0."""
    low = values.masked_fill(~content, torch.inf).amin(-1, keepdim=True)
    high = values.masked_fill(~content, -torch.inf).amax(-1, keepdim=True)
    span = high - low
    scaled = (values - low) / span.where(span > 0, torch.ones_like(span))
    return torch.where(content & (span > 0), scaled, torch.zeros_like(values))
