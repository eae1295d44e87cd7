"""The baselines: contenders that look at nothing, one module each.

A module ``<kind>.py`` holds ``CONTRACT``, a literal with the fields of `Baseline`, and a function
for each of its directions:

``map_image(shape, generator)``
    Relevance of every cell of an image, float32 of a shape (rows, columns).
``map_words(n_words, generator)``
    Relevance of every word of a caption, float32 of shape (n_words,).

`generator`, a NumPy random generator of the phrase, is for baselines that are drawn; others are
the same for every phrase and get None.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from clip_grounding.kinds.contracts import list_kinds, read_kind
from clip_grounding.vocabulary import DIRECTIONS

FOLDER = Path(__file__).parent

_FUNCTIONS = {"text_to_image": "map_image", "image_to_text": "map_words"}
_TYPES = {
    "summary": str,
    "label": str,
    "color": str,
    "order": int,
    "directions": tuple,
    "is_drawn": bool,
    "dashes": tuple,
    "is_chance": bool,
}
_NAMES = {str: "text", int: "a whole number", bool: "True or False", tuple: "a tuple"}


@dataclass(frozen=True)
class Baseline:
    """What a baseline needs, and how it is shown.

    Attributes
    ----------
    summary : str
        One line: what it predicts.
    label : str
        What figures call it.
    color : str
        Its fill, as ``#RRGGBB``: a colour that no prompt of `figures.style.COLORS` has.
    order : int
        Figures draw baselines in ascending order.
    directions : tuple of str
        Those that it is defined in.
    is_drawn : bool
        Whether it is drawn, so that another `seed` gives other scores.
    dashes : tuple of float
        Lengths of its lines' dashes and gaps, in line widths; empty for a solid line.
    is_chance : bool
        Whether its average precision is the chance level, which figures of that metric show as
        a line of its own.
    """

    summary: str
    label: str
    color: str
    order: int
    directions: tuple[str, ...]
    is_drawn: bool
    dashes: tuple[float, ...]
    is_chance: bool


def list_baselines(folder: Path = FOLDER) -> list[str]:
    """List the names of the baselines, one per module."""
    return list_kinds(folder)


@lru_cache(maxsize=64)
def read_baseline(kind: str, folder: Path = FOLDER) -> Baseline:
    """Read what a baseline declares, without importing its module.

    Raises
    ------
    InputError
        Its contract is missing or wrong, or it lacks the function of a direction.
    """
    module = read_kind(folder / f"{kind}.py", "docs/add-a-baseline.md")
    contract = module.contract
    for key, type_ in _TYPES.items():
        if not isinstance(contract.get(key), type_):
            module.refuse(f"{key} must be given, as {_NAMES[type_]}")
    if unknown := set(contract) - set(_TYPES):
        module.refuse(f"unknown key {min(unknown)}")
    if not re.fullmatch("#[0-9A-Fa-f]{6}", contract["color"]):
        module.refuse(f"color: {contract['color']} is not written as #RRGGBB")
    if not contract["directions"] or (unknown := set(contract["directions"]) - set(DIRECTIONS)):
        module.refuse(f"directions: give some of {', '.join(DIRECTIONS)}")
    for direction in contract["directions"]:
        module.require(_FUNCTIONS[direction])
    return Baseline(**contract)


def read_baselines() -> dict[str, Baseline]:
    """Read what every baseline declares, by name, in the order in which figures draw them."""
    found = {kind: read_baseline(kind) for kind in list_baselines()}
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def load_baseline(kind: str) -> ModuleType:
    """Import the module of a baseline."""
    return import_module(f"clip_grounding.scoring.baselines.{kind}")
