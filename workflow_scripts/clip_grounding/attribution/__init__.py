"""Attribution methods, one module per `kind`: from a tower and targets to relevance rows.

A module ``<kind>.py`` holds two things. ``CONTRACT``, a literal, says what the method can
explain, which parameters it has, and what it costs (see `clip_grounding.workflow.contracts`). The
function of the module's name computes the relevance, called as

``<kind>(clip, tower, inputs, targets, items, **parameters)``

Parameters
----------
clip : Clip
tower : Tower
    The tower to explain, ``clip.image`` or ``clip.text``.
inputs : Tensor
    Pixels (n, 3, size, size) or padded token ids (n, n_tokens) of the items.
targets : Tensor, shape (n_pairs, width)
    Unit embeddings of the other tower.
items : Tensor of int64, shape (n_pairs,)
    The item that each target is paired with, in ascending order; an item may have none.

Returns
-------
Tensor, shape (n_pairs, n_tokens), float32
    Relevance of every token of the pair's item for its similarity to the target. Only the
    columns of ``tower.content(inputs)``, the patches or words, are read.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module


def load_attribution(kind: str, **parameters) -> Callable:
    """Return the attribution function of `kind` with its parameters bound."""
    module = import_module(f"clip_grounding.attribution.{kind}")
    return partial(getattr(module, kind), **parameters)
