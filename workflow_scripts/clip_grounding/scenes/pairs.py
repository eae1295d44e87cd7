"""Draw image-text pairs to train on: whole scenes with narratives, and parts with their phrases.

Contrasting parts is what makes a small CLIP ground phrases: the segments of a phrase, the rest
black, are paired with the same phrase among connecting words.
"""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from clip_grounding.scenes.narrate import Piece, narrate
from clip_grounding.scenes.render import Scene, render_scene, scene_generator

KINDS = {
    ("whole", "whole"): 0.25,
    ("part", "part"): 0.4,
    ("whole", "part"): 0.2,
    ("part", "whole"): 0.15,
}
"""Probabilities that an image and its text show the whole scene or the same part of it."""

_ONE_REGION_SHARE = 0.5
_CONNECTING_SHARES = (0, 0.5, 1)
_SHUFFLED_SHARE = 0.2


@dataclass(frozen=True)
class Example:
    """A training scene with one narrative.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3)
    ids : ndarray of uint32, shape (height, width)
        Segment id of each pixel.
    pieces : tuple of Piece
    facts : dict of int to str
        What each segment id stands for, including the count of its group.
    """

    image: np.ndarray
    ids: np.ndarray
    pieces: tuple[Piece, ...]
    facts: dict[int, str]


@dataclass(frozen=True)
class Batch:
    """Pairs to contrast.

    Attributes
    ----------
    images : list of ndarray of uint8, shape (height, width, 3)
    texts : list of str
    ambiguous : ndarray of bool, shape (n, n)
        Where image i and text j, of different pairs, match nevertheless: one shows,
        or says, all that the other does. They are not negatives.
    """

    images: list[np.ndarray]
    texts: list[str]
    ambiguous: np.ndarray


def draw_examples(image_count: int, seed: int) -> list[Example]:
    """Render scenes of the training side, each with a narrative; scene k depends on (seed, k)."""
    examples = []
    for index in tqdm(range(image_count), desc="render", unit="scene", mininterval=1):
        rng = scene_generator(seed, index)
        scene = render_scene(rng, evaluated=False)
        pieces = tuple(narrate(scene, rng))
        examples.append(Example(scene.image, scene.ids, pieces, _list_facts(scene)))
    return examples


def draw_batch(examples: list[Example], batch_size: int, rng: np.random.Generator) -> Batch:
    """Draw pairs of random scenes: see `KINDS`."""
    images, texts, shown, told = [], [], [], []
    for number in rng.integers(len(examples), size=batch_size):
        example = examples[number]
        image, text = list(KINDS)[rng.choice(len(KINDS), p=list(KINDS.values()))]
        part = _choose_part(example, rng)
        pieces = _choose_pieces(example, part if text == "part" else None, rng)
        texts.append(" ".join(piece.utterance for piece in pieces))
        told.append({example.facts[number] for piece in pieces for number in piece.segment_ids})
        if image == "part":
            numbers = sorted({number for region in part for number in region})
            images.append(example.image * np.isin(example.ids, numbers)[..., None])
            shown.append({example.facts[number] for number in numbers})
        else:
            images.append(example.image)
            shown.append(set(example.facts.values()))
    return Batch(images, texts, find_ambiguous(shown, told))


def find_ambiguous(shown: list[set[str]], told: list[set[str]]) -> np.ndarray:
    """Find the pairs (i, j), i ≠ j, of which one holds all facts of the other, (n, n)."""
    facts = sorted(set().union(*shown, *told))
    in_images, in_texts = (
        np.array([[fact in own for fact in facts] for own in sets], np.float32).reshape(
            len(sets), len(facts)
        )
        for sets in (shown, told)
    )
    common = in_images @ in_texts.T
    ambiguous = (common == in_images.sum(1)[:, None]) | (common == in_texts.sum(1))
    np.fill_diagonal(ambiguous, False)
    return ambiguous


def _list_facts(scene: Scene) -> dict[int, str]:
    facts = {number: stuff for stuff, number in scene.stuff_ids.items()}
    for group, ids in zip(scene.composition.groups, scene.thing_ids, strict=True):
        facts.update(dict.fromkeys(ids, f"{group.count} {group.color} {group.shape}"))
    return facts


def _choose_part(example: Example, rng: np.random.Generator) -> set[tuple[int, ...]]:
    """Choose some, often one, of the regions that the pieces name."""
    regions = list(dict.fromkeys(p.segment_ids for p in example.pieces if p.segment_ids))
    one = rng.random() < _ONE_REGION_SHARE
    count = 1 if one else rng.integers(1, len(regions) + 1)
    return {regions[index] for index in rng.choice(len(regions), count, replace=False)}


def _choose_pieces(
    example: Example, part: set[tuple[int, ...]] | None, rng: np.random.Generator
) -> list[Piece]:
    """Choose the pieces about a part, or all, with some connecting words as distractors."""
    share = _CONNECTING_SHARES[rng.integers(len(_CONNECTING_SHARES))]
    pieces = []
    for piece in example.pieces:
        if not piece.segment_ids:
            wanted = rng.random() < share
        else:
            wanted = part is None or piece.segment_ids in part
        if wanted:
            pieces.append(piece)
    if rng.random() < _SHUFFLED_SHARE:
        return [pieces[index] for index in rng.permutation(len(pieces))]
    return pieces
