"""Describe a scene in pieces of text with segments, as Panoptic Narrative Grounding does.

A piece is an utterance with the segments it names; connecting words name none.
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from clip_grounding.scenes.compose import PLURAL_STUFF, SHAPES, Group
from clip_grounding.scenes.render import Scene


@dataclass(frozen=True)
class Piece:
    """A piece of a narrative.

    Attributes
    ----------
    utterance : str
        Lower-case words.
    segment_ids : tuple of int
        Empty for connecting words.
    plural : bool
        Whether it names more than one thing.
    """

    utterance: str
    segment_ids: tuple[int, ...] = ()
    plural: bool = False


_OPENINGS = (
    "in this image i can see",
    "in this picture there is",
    "in the image we can see",
    "here i can see",
    "there is",
)
_FURTHER = (". there is", ". i can also see", ". we can see", ". beside that there is")
_BACKGROUND = (". in the background there is", ". behind there is", ". at the back i can see")
_ELSEWHERE = (". there is also", ". on the other side there is", ". at the bottom i can see")
_ALL_THINGS = ("shapes", "objects", "few things")
_COUNTS = {2: "two", 3: "three"}


def narrate(scene: Scene, rng: np.random.Generator) -> list[Piece]:
    """Describe a scene, with random templates, order and repetitions."""
    groups = list(zip(scene.composition.groups, scene.thing_ids, strict=True))
    groups = [groups[index] for index in rng.permutation(len(groups))]
    pieces = [Piece(_choose(rng, _OPENINGS))]
    told = set()
    if len(groups) > 1 and rng.random() < 0.2:
        everything = tuple(number for _, ids in groups for number in ids)
        pieces += [Piece(_choose(rng, _ALL_THINGS), everything, True), Piece(". there is")]
    for number, (group, ids) in enumerate(groups):
        if number:
            join = "and" if number == len(groups) - 1 and rng.random() < 0.5 else ","
            pieces.append(Piece(join if rng.random() < 0.6 else _choose(rng, _FURTHER)))
        pieces += _name_group(group, ids, rng)
        if rng.random() < 0.6:
            pieces += [_place(group.stuff, scene), _name_stuff(group.stuff, scene)]
            told.add(group.stuff)
    for side, starts in (
        (scene.composition.above, _BACKGROUND),
        (scene.composition.below, _ELSEWHERE),
    ):
        untold = [name for name in side if name not in told]
        if untold and rng.random() < 0.85:
            pieces += [Piece(_choose(rng, starts)), _name_stuff(untold[0], scene)]
            for name in untold[1:]:
                pieces += [Piece("and"), _name_stuff(name, scene)]
    if rng.random() < 0.25:
        pieces += _mention_again(*groups[rng.integers(len(groups))], scene)
    return _agree([*pieces, Piece(".")])


def write_caption(pieces: list[Piece]) -> str:
    """Write the pieces as a person would: sentences with capitals, no space before full stops."""
    text = re.sub(r" ([.,])", r"\1", " ".join(piece.utterance for piece in pieces))
    text = re.sub(r"\bi\b", "I", text)
    return re.sub(r"(^|\. )(\w)", lambda match: match[1] + match[2].upper(), text)


def _name_group(group: Group, ids: tuple[int, ...], rng: np.random.Generator) -> list[Piece]:
    """Name a group's things, with the article, if any, as a separate piece."""
    if len(ids) > 1:
        count = f"{_COUNTS[len(ids)]} " if rng.random() < 0.8 else ""
        return [Piece(f"{count}{group.color} {SHAPES[group.shape]}", ids, True)]
    words = f"{group.color} {group.shape}"
    if rng.random() < 0.3:
        return [Piece(f"one {words}", ids)]
    return [Piece("an" if words[0] in "aeiou" else "a"), Piece(words, ids)]


def _mention_again(group: Group, ids: tuple[int, ...], scene: Scene) -> list[Piece]:
    """Say again where things are, repeating their words and those of their region."""
    plural = len(ids) > 1
    place = _place(group.stuff, scene).utterance
    return [
        Piece(". the"),
        Piece(f"{group.color} {SHAPES[group.shape] if plural else group.shape}", ids, plural),
        Piece(f"{'are' if plural else 'is'} {place}"),
        _name_stuff(group.stuff, scene),
    ]


def _place(stuff: str, scene: Scene) -> Piece:
    if stuff in scene.composition.below:
        return Piece("on the")
    return Piece("in the" if stuff == "sky" else "in front of the")


def _name_stuff(stuff: str, scene: Scene) -> Piece:
    return Piece(stuff, (scene.stuff_ids[stuff],), stuff in PLURAL_STUFF)


def _agree(pieces: list[Piece]) -> list[Piece]:
    """Replace "there is" by "there are" before a plural."""
    return [
        replace(piece, utterance=piece.utterance.replace("there is", "there are"))
        if following.plural
        else piece
        for piece, following in pairwise([*pieces, Piece("")])
    ]


def _choose(rng: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[rng.integers(len(values))]
