"""Randomise the weights of one tower in place, and put them back.

Each parameter tensor is permuted within itself: it keeps its scale and its distribution, and
whatever was learned is gone. No tensor is left out, neither CLIP's class embedding nor SigLIP's
probe.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_PREFIXES = {
    "image": ("vision_model.", "visual_projection."),
    "text": ("text_model.", "text_projection."),
}
_LAYER = re.compile(r"\.encoder\.layers\.(\d+)\.")
_EMBEDDINGS = re.compile(r"\.(embeddings|pre_layrnorm)\.")


def tower_parameters(model: nn.Module, tower: str) -> dict[str, nn.Parameter]:
    """Return the parameters of a tower of a transformers model, by name.

    Parameters
    ----------
    model : Module
        A model of a family of `clip_grounding.models.config.FAMILIES`.
    tower : {"image", "text"}
    """
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if name.startswith(_PREFIXES[tower])
    }


def list_steps(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Order a tower's parameters from the projection down to the embeddings.

    Parameters
    ----------
    names : iterable of str
        Names of a tower's parameters.

    Returns
    -------
    list of (label, names)
        ``projection``: what follows the last block, a pooling head included; then the blocks, last
        to first, as ``layer n``; then ``embeddings``.
    """
    steps: dict[int, list[str]] = {}
    last = 1 << 30
    for name in names:
        depth = 0 if _EMBEDDINGS.search(name) else last
        if layer := _LAYER.search(name):
            depth = 1 + int(layer[1])
        steps.setdefault(depth, []).append(name)
    labels = {0: "embeddings", last: "projection"}
    return [
        (labels.get(depth, f"layer {depth}"), steps[depth]) for depth in sorted(steps, reverse=True)
    ]


@contextmanager
def randomised(
    model: nn.Module, names: Iterable[str], seed: int, number: int = 0
) -> Iterator[nn.Module]:
    """Permute parameters of a model within themselves for as long as the context lasts.

    Parameters
    ----------
    model : Module
        Changed in place.
    names : iterable of str
        Of the parameters.
    seed, number : int
        Another number makes another random model. A permutation depends on the seed, the number
        and the parameter's name alone.
    """
    parameters = dict(model.named_parameters())
    kept: dict[str, Tensor] = {}
    try:
        with torch.no_grad():
            for name in names:
                kept[name] = parameters[name].cpu().clone()
                parameters[name].copy_(permute(kept[name], seed, number, name))
        yield model
    finally:
        with torch.no_grad():
            for name, values in kept.items():
                parameters[name].copy_(values)


def permute(values: Tensor, seed: int, number: int, name: str) -> Tensor:
    """Permute the entries of a tensor, in an order drawn from the seed, the number and the name."""
    digest = hashlib.sha256(f"{seed} {number} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    order = torch.randperm(values.numel(), generator=generator)
    return values.flatten()[order].reshape(values.shape)
