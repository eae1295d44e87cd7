"""Attribution methods, one module per `kind`: from a tower and targets to relevance rows.

A module ``<kind>.py`` holds a function of the same name, called as
``<kind>(clip, tower, inputs, targets, items, **parameters)``; see
`gradient_attention.gradient_attention` for what goes in and comes out.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module


def load_attribution(kind: str, **parameters) -> Callable:
    """Give the attribution function of `kind` with its parameters bound."""
    module = import_module(f"clip_grounding.attribution.{kind}")
    return partial(getattr(module, kind), **parameters)
