"""Compose a scene before it is rendered: stuff above and below a horizon, groups of things.

The composition alone decides whether a scene may be evaluated or trained on, so no scene is both.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")
SHAPES = {
    "circle": "circles",
    "square": "squares",
    "triangle": "triangles",
    "star": "stars",
    "cross": "crosses",
    "heart": "hearts",
}
"""Shapes and their plurals."""

ABOVE = ("sky", "wall", "trees", "curtain", "building", "hills")
BELOW = ("grass", "sand", "sea", "road", "snow", "floor")
PLURAL_STUFF = ("trees", "hills")

_EVALUATED_SHARE = 1 / 4


@dataclass(frozen=True)
class Group:
    """Things of one color and shape.

    Attributes
    ----------
    color, shape : str
    count : int
        1 to 3 things.
    stuff : str
        The region that they are on.
    """

    color: str
    shape: str
    count: int
    stuff: str


@dataclass(frozen=True)
class Composition:
    """What a scene shows.

    Attributes
    ----------
    above, below : tuple of str
        One or two stuff regions above, and below, the horizon.
    groups : tuple of Group
        One to three, no two of the same color and shape.
    """

    above: tuple[str, ...]
    below: tuple[str, ...]
    groups: tuple[Group, ...]


def describe(composition: Composition) -> str:
    """Describe what is in a scene, whatever the order or place of the things."""
    things = sorted(f"{group.count} {group.color} {group.shape}" for group in composition.groups)
    return "; ".join([*things, *sorted(composition.above), *sorted(composition.below)])


def is_evaluated(composition: Composition) -> bool:
    """Return the side of a composition: evaluation or training.

    A hash of its description decides, so the sides never overlap, whatever the seeds.
    """
    digest = hashlib.sha256(describe(composition).encode()).digest()
    return digest[0] < 256 * _EVALUATED_SHARE


def draw_composition(rng: np.random.Generator, evaluated: bool) -> Composition:
    """Draw a composition of one side, rejecting those of the other."""
    while True:
        composition = _draw(rng)
        if is_evaluated(composition) == evaluated:
            return composition


def _draw(rng: np.random.Generator) -> Composition:
    above = _pick(rng, ABOVE, rng.integers(1, 3))
    below = _pick(rng, BELOW, rng.integers(1, 3))
    kinds = [(color, shape) for color in COLORS for shape in SHAPES]
    groups = []
    for color, shape in _pick(rng, kinds, rng.integers(1, 4)):
        side = below if rng.random() < 0.7 else above
        groups.append(Group(color, shape, int(rng.integers(1, 4)), side[rng.integers(len(side))]))
    return Composition(above, below, tuple(groups))


def _pick(rng: np.random.Generator, values: tuple | list, count: int | np.integer) -> tuple:
    return tuple(values[index] for index in rng.choice(len(values), count, replace=False))
