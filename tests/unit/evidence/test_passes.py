"""Gathered passes against masked ones, and the sets that they are made of."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from plain_models import random_clip, random_siglip

from clip_grounding.evidence.passes import Sequence, embed_sets
from clip_grounding.evidence.sets import distinct_sets, order_by_size, pack_sets, unpack_sets
from clip_grounding.models.loading import open_model
from clip_grounding.relevance.batches import MemoryFit

BOOLS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 19)))
MODELS = {"clip": random_clip, "siglip": random_siglip}
TEXTS = {  # of one length, and padded
    "clip": torch.tensor([[48, 3, 9, 7, 5, 49], [48, 8, 49, 49, 49, 49]]),
    "siglip": torch.tensor([[3, 9, 7, 5, *[1] * 12], [8, *[1] * 15]]),
}


@given(sets=BOOLS)
def test_packed_sets_come_back(sets):
    np.testing.assert_array_equal(unpack_sets(pack_sets(sets), sets.shape[1]), sets)


@given(sets=BOOLS)
def test_sets_are_grouped_by_size_with_their_members(sets):
    seen = {}
    for rows, members in order_by_size(sets):
        seen.update(zip(rows.tolist(), members.tolist(), strict=True))
    assert seen == {row: np.flatnonzero(own).tolist() for row, own in enumerate(sets)}


@given(sets=BOOLS)
def test_distinct_sets_are_each_there_once(sets):
    distinct, which = distinct_sets(sets)
    np.testing.assert_array_equal(distinct[which], sets)
    assert len({own.tobytes() for own in distinct}) == len(distinct)


def open_items(family, side):
    """Two items of a tower: inputs, and what the passes need of them."""
    clip = open_model(MODELS[family]())
    tower = getattr(clip, side)
    generator = torch.Generator().manual_seed(0)
    inputs = TEXTS[family] if side == "text" else torch.randn(2, 3, 32, 32, generator=generator)
    content = tower.content(inputs).numpy()
    rows, hidden = tower.pooled_rows(inputs), tower.embed(inputs)
    sequences = [
        Sequence(own, int(row), np.flatnonzero(inside))
        for own, row, inside in zip(hidden, rows, content, strict=True)
    ]
    return tower, inputs, sequences


def draw_sets(sequences):
    generator = np.random.default_rng(0)
    sets = []
    for sequence in sequences:
        n = len(sequence.content)
        own = generator.random((11, n)) < generator.random((11, 1))
        own[:, generator.integers(n)] = True  # SigLIP's probe must have something to look at
        sets.append(np.concatenate([np.ones((1, n), bool), own, np.eye(n, dtype=bool)]))
    return sets


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("family", MODELS)
def test_gathered_passes_equal_masked_ones(family, side):
    tower, inputs, sequences = open_items(family, side)
    sets = draw_sets(sequences)
    gathered = embed_sets(tower, MemoryFit(3), sequences, sets)
    whole = tower.pool.open(tower.run(inputs), tower.pooled_rows(inputs)).embeddings()
    for i, (sequence, own) in enumerate(zip(sequences, sets, strict=True)):
        torch.testing.assert_close(gathered[i][0], whole[i], atol=1e-5, rtol=0)
        for kept, embedding in zip(sequence.keep(own), gathered[i], strict=True):
            masked = tower.embed_kept(
                sequence.hidden[None], torch.tensor([sequence.row]), torch.from_numpy(kept)[None]
            )
            torch.testing.assert_close(embedding, masked[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", ["image", "text"])
def test_batches_and_order_change_no_embedding(side):
    tower, _, sequences = open_items("clip", side)
    sets = draw_sets(sequences)
    one = embed_sets(tower, MemoryFit(1), sequences, sets)
    many = embed_sets(tower, MemoryFit(64), sequences[::-1], [own[::-1] for own in sets[::-1]])
    for a, b in zip(one, many[::-1], strict=True):
        torch.testing.assert_close(a, b.flip(0), atol=1e-6, rtol=0)


def test_short_passes_fill_batches_of_as_many_tokens_as_whole_ones():
    tower, _, sequences = open_items("clip", "image")  # 17 tokens
    shapes = []

    class Watching:
        def embed_gathered(self, hidden, rows):
            shapes.append(tuple(hidden.shape[:2]))
            return tower.embed_gathered(hidden, rows)

    sets = [np.arange(16)[None] < np.full((20, 1), size) for size in (3, 15)]
    embed_sets(Watching(), MemoryFit(2), sequences, sets)
    assert sorted(shapes) == [(2, 16)] * 10 + [(4, 4), (8, 4), (8, 4)]
