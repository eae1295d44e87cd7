"""What must hold of the methods' maps whatever the weights are, on random models.

The first tests are of every method that there is: a new one is checked by them as it stands.
"""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_models import random_model, random_pixels, random_text
from torch.nn.utils.rnn import pad_sequence

from clip_grounding.attribution import load_attribution
from clip_grounding.attribution.rise import pixel_masks, word_masks
from clip_grounding.models.loading import open_model
from clip_grounding.models.towers import with_precision
from clip_grounding.vocabulary import DIRECTIONS
from clip_grounding.workflow.contracts import list_kinds, read_contract, why_refused

IMAGE, TEXT = DIRECTIONS
FAMILIES = ["clip", "siglip"]
WORDS = 6, 1, 0, 9
"""Word tokens of the texts; there are as many images."""

FASTER = {"rise": {"masks": 12, "cells": 3}, "integrated_gradients": {"steps": 4}}
"""Parameters with which a method costs less; what is claimed does not depend on them."""

METHODS = [
    pytest.param(kind, direction, family, id=f"{kind}-{direction}-{family}")
    for kind in list_kinds()
    for direction in DIRECTIONS
    for family in FAMILIES
    if not why_refused({"kind": kind}, direction, family)
]
every_method = pytest.mark.parametrize(("kind", "direction", "family"), METHODS)
families = pytest.mark.parametrize("family", FAMILIES)
directions = pytest.mark.parametrize("direction", DIRECTIONS)


def build(family, seed=0, change=None):
    """A model and its four images and texts, opened; `change` may alter the weights."""
    model = random_model(family, depth=3, seed=seed)
    if change:
        change(model)
    config = model.config.text_config
    clip = open_model(model, config.eos_token_id, config.pad_token_id)
    pixels = torch.stack([random_pixels(model, item) for item in range(len(WORDS))])
    texts = [random_text(model, n_words, item) for item, n_words in enumerate(WORDS)]
    ids = pad_sequence(texts, batch_first=True, padding_value=config.pad_token_id)
    return clip, pixels, ids


built = cache(build)


def sides(clip, pixels, ids, direction):
    """The tower that is explained with its inputs, and unit embeddings of the other side."""
    if direction == IMAGE:
        return clip.image, pixels, clip.embed(clip.text, ids)
    return clip.text, ids, clip.embed(clip.image, pixels)


def explain(kind, clip, tower, inputs, targets, **parameters):
    """Maps of each item, (n_targets, n_content); `targets` has those of each item."""
    counts = [len(own) for own in targets]
    items = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    attribute = load_attribution(kind, **{**FASTER.get(kind, {}), **parameters})
    rows = attribute(clip, tower, inputs, torch.cat(targets), items)
    parts = zip(rows.split(counts), tower.content(inputs), strict=True)
    return [part[:, content] for part, content in parts]


def explain_all(kind, family, direction, clip=None, **parameters):
    """Maps of every item for all four targets."""
    own, pixels, ids = built(family)
    clip = clip or own
    tower, inputs, targets = sides(clip, pixels, ids, direction)
    return explain(kind, clip, tower, inputs, [targets] * len(inputs), **parameters)


def assert_close(found, expected, tolerance=1e-4):
    for ours, theirs in zip(found, expected, strict=True):
        scale = theirs.abs().max().item() if theirs.numel() else 0
        torch.testing.assert_close(ours, theirs, atol=tolerance * scale + 2e-6, rtol=0)


# Every method.


@every_method
def test_maps_are_finite_in_float32_in_either_precision(kind, direction, family):
    clip, _, _ = built(family)
    for precision in (torch.float32, torch.bfloat16):
        for maps in explain_all(kind, family, direction, with_precision(clip, precision)):
            assert maps.dtype == torch.float32
            assert maps.isfinite().all()


@settings(max_examples=2)
@given(order=st.permutations(range(len(WORDS))))
@every_method
def test_permuting_the_items_permutes_their_maps(kind, direction, family, order):
    clip, pixels, ids = built(family)
    tower, inputs, every = sides(clip, pixels, ids, direction)
    targets = [every[:2], every[:0], every[3:], every[1:]]  # one item has none
    found = explain(kind, clip, tower, inputs[order], [targets[item] for item in order])
    before = explain(kind, clip, tower, inputs, targets)
    assert_close(found, [before[item] for item in order])


@every_method
def test_maps_depend_on_the_prompt_where_the_contract_says_so(kind, direction, family):
    first, *_, last = explain_all(kind, family, direction)[0]
    assert torch.equal(first, last) is not read_contract(kind)["uses_prompt"]


# Single ones.


@pytest.mark.parametrize(
    ("kind", "direction"),
    [
        *product(
            [
                "gradient_attention",
                "attention_gradcam",
                "gradcam",
                "grad_eclip",
                "integrated_gradients",
                "occlusion",
                "rise",
            ],
            DIRECTIONS,
        ),
        ("legrad", IMAGE),
    ],
)
@families
def test_a_constant_similarity_gives_nothing_to_explain(kind, direction, family):
    clip, _, _ = built(family)
    constant = replace(clip, logit_scale=0.0)
    for maps in explain_all(kind, family, direction, constant):
        assert not (maps.abs() > 1e-12).any()


@directions
@families
def test_integrated_gradients_are_complete(family, direction):
    """With 64 nodes a map sums to s(x) − s(x₀), to 1 % of the largest such difference."""
    clip, pixels, ids = built(family)
    tower, inputs, targets = sides(clip, pixels, ids, direction)
    maps = explain_all("integrated_gradients", family, direction, steps=64)
    sums = torch.stack([own.sum(-1) for own in maps])
    rows = tower.pooled_rows(inputs)  # of x₀ as well, though its text ends sooner
    blank = tower.embed_hidden(tower.embed(tower.blank(inputs)), rows)
    changes = clip.logit_scale * (clip.embed(tower, inputs) - blank) @ targets.T
    assert (sums - changes).abs().max() <= 0.01 * changes.abs().max()


@directions
@families
def test_taking_out_nothing_changes_nothing(family, direction):
    clip, pixels, ids = built(family)
    tower, inputs, _ = sides(clip, pixels, ids, direction)
    everything = torch.ones_like(tower.content(inputs))
    kept = tower.embed_kept(tower.embed(inputs), tower.pooled_rows(inputs), everything)
    torch.testing.assert_close(kept, clip.embed(tower, inputs), atol=1e-6, rtol=0)


@directions
@families
def test_occlusion_takes_out_no_token_but_patches_and_words(family, direction):
    clip, pixels, ids = built(family)
    tower, inputs, targets = sides(clip, pixels, ids, direction)
    items = torch.arange(len(inputs))
    relevance = load_attribution("occlusion")(clip, tower, inputs, targets, items)
    content = tower.content(inputs)
    assert (relevance[~content] == 0).all()
    assert (relevance[content] != 0).all()


def stop_asking(model):
    """Zero every query, so that every token attends to all that it may see alike."""
    for name, weights in model.named_parameters():
        if ".q_proj." in name:
            weights.zero_()
        elif ".in_proj_" in name:  # of SigLIP's head: queries, keys, values
            weights[: len(weights) // 3].zero_()


@pytest.mark.parametrize("kind", ["raw_attention", "rollout", "attention_gradcam"])
@directions
@families
def test_where_attention_is_constant_its_maps_are_flat(family, direction, kind):
    clip, pixels, ids = build(family, change=stop_asking)
    tower, inputs, targets = sides(clip, pixels, ids, direction)
    maps = explain(kind, clip, tower, inputs, [targets] * len(inputs))
    assert any((own > 0).any() for own in maps)
    for own in maps:
        if kind == "rollout" and family == "clip" and direction == TEXT:
            # Causal: a word is seen by those behind it too, so it passes more on than they do.
            assert (own.diff(dim=-1) < 0).all()
        else:
            torch.testing.assert_close(own, own[:, :1].expand_as(own), atol=1e-6, rtol=1e-4)


@directions
@families
def test_attention_maps_are_shares(family, direction):
    for kind in ("raw_attention", "rollout"):
        for maps in explain_all(kind, family, direction):
            assert (maps >= 0).all()
            assert (maps.sum(-1) <= 1 + 1e-5).all()


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("gradient_attention", {"layers": "last"}),
        ("gradient_attention", {"layers": "all"}),
        ("attention_gradcam", {}),
        ("gradcam", {}),
        ("grad_eclip", {"layers": "all"}),
        ("grad_eclip", {"heads": "single"}),
    ],
)
@directions
@families
def test_methods_that_cut_at_zero_are_not_negative(family, direction, kind, parameters):
    maps = explain_all(kind, family, direction, **parameters)
    assert all((own >= 0).all() for own in maps)
    assert any((own > 0).any() for own in maps)


@pytest.mark.parametrize("layers", ["all", "last"])
@families
def test_legrad_spans_zero_to_one(family, layers):
    for maps in explain_all("legrad", family, IMAGE, layers=layers):
        assert (maps.amin(-1) == 0).all()
        assert (maps.amax(-1) == 1).all()


@families
def test_maskclip_is_a_cosine(family):
    for maps in explain_all("maskclip", family, IMAGE):
        assert (maps.abs() <= 1 + 1e-6).all()


mask_settings = {
    "keep": st.floats(0.1, 0.9),
    "cells": st.integers(2, 9),
    "seed": st.integers(0, 2**32 - 1),
}


@settings(max_examples=5)
@given(**mask_settings)
def test_rise_shows_every_pixel_as_often_as_it_should(keep, cells, seed):
    masks = np.stack(list(pixel_masks(400, cells, keep, seed, size=24)))
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6  # rounding of float32
    # A pixel's mean has a standard error of 0.025 at most, so this is five of them.
    assert np.abs(masks.mean(0) - keep).max() < 0.125
    assert np.abs(masks.mean() - keep) < 0.06


@settings(max_examples=10)
@given(**mask_settings)
def test_rise_draws_the_same_masks_for_the_same_seed(keep, cells, seed):
    images = [list(pixel_masks(3, cells, keep, each, size=24)) for each in (seed, seed, seed ^ 1)]
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])
    words = [list(word_masks(3, keep, each, n_words=60)) for each in (seed, seed, seed ^ 1)]
    assert np.array_equal(words[0], words[1])
    assert not np.array_equal(words[0], words[2])


@settings(max_examples=10)
@given(keep=mask_settings["keep"], short=st.integers(0, 40), longest=st.integers(40, 77))
def test_rise_hides_the_same_first_words_however_long_the_longest_text_is(keep, short, longest):
    own, all_words = (np.stack(list(word_masks(5, keep, 0, n))) for n in (short, longest))
    assert np.array_equal(own, all_words[:, :short])
