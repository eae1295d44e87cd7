"""Image-text pairs to train on: whole scenes with narratives, and parts of them with their phrases.

Contrasting parts is what makes a small CLIP ground phrases: the segments of a phrase, the rest
black, against the same phrase within words that say nothing.
"""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from clip_grounding.scenes.narrate import Piece, narrate
from clip_grounding.scenes.render import Scene, render_scene, scene_generator

KINDS = {"whole": 0.3, "masked": 0.5, "mentioned": 0.2}
"""How often an image and its text show the whole scene, the same part of it, or only the text
is about a part."""

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
        What each segment id stands for, its group's count included.
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
        Where image i and text j, of different pairs, fit each other all the same: one shows,
        or says, all that the other does. They are no negatives.
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
        kind = list(KINDS)[rng.choice(len(KINDS), p=list(KINDS.values()))]
        chosen = _choose_regions(example, kind == "whole", rng)
        segments = sorted({number for region in chosen for number in region})
        share = _CONNECTING_SHARES[rng.integers(len(_CONNECTING_SHARES))]
        words = [
            piece.utterance
            for piece in example.pieces
            if (piece.segment_ids in chosen if piece.segment_ids else rng.random() < share)
        ]
        if rng.random() < _SHUFFLED_SHARE:
            rng.shuffle(words)
        texts.append(" ".join(words))
        told.append({example.facts[segment] for segment in segments})
        if kind == "masked":
            images.append(example.image * np.isin(example.ids, segments)[..., None])
            shown.append(told[-1])
        else:
            images.append(example.image)
            shown.append(set(example.facts.values()))
    return Batch(images, texts, find_ambiguous(shown, told))


def find_ambiguous(shown: list[set[str]], told: list[set[str]]) -> np.ndarray:
    """Find pairs (i, j), i ≠ j, of which one holds all facts of the other, (n, n)."""
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


def _choose_regions(
    example: Example, everything: bool, rng: np.random.Generator
) -> set[tuple[int, ...]]:
    """Some, often one, or all of the regions that the pieces name."""
    regions = list(dict.fromkeys(piece.segment_ids for piece in example.pieces))
    regions = [region for region in regions if region]
    if everything:
        return set(regions)
    one = rng.random() < _ONE_REGION_SHARE
    count = 1 if one else rng.integers(1, len(regions) + 1)
    return {regions[index] for index in rng.choice(len(regions), count, replace=False)}
