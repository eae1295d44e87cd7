"""Every attribution method of the library against its plain version, on random models."""

import plain_methods
import pytest
import torch
from plain_forward import content
from plain_models import random_model, random_pixels, random_text
from torch.nn.utils.rnn import pad_sequence

from clip_grounding.attribution import load_attribution
from clip_grounding.attribution.rise import pixel_masks, word_masks
from clip_grounding.models.loading import open_model

FAMILIES = ["clip", "siglip", "siglip2"]
IMAGE, TEXT = "text_to_image", "image_to_text"

# Model shapes, with the number of words of three texts.
SHAPES = {
    "one block, one head": ({"seed": 1, "heads": 1, "depth": 1, "patch": 8}, (3, 6, 1)),
    "wordless": ({"seed": 2, "heads": 2, "depth": 2, "patch": 8}, (0, 5, 9)),
    "three blocks": ({"seed": 3, "heads": 4, "depth": 3, "patch": 8}, (7, 0, 3)),
    "four blocks": ({"seed": 4, "heads": 4, "depth": 4, "patch": 16, "width": 48}, (3, 13, 8)),
}

# Kind and parameters; `layers: 2` is 1 where there is one block.
BOTH = [
    ("gradient_attention", {"layers": "last"}),
    ("gradient_attention", {"layers": 2}),
    ("gradient_attention", {"layers": "all"}),
    ("raw_attention", {}),
    ("rollout", {}),
    ("attention_gradcam", {}),
    ("gradcam", {}),
    ("grad_eclip", {}),
    ("grad_eclip", {"layers": 2}),
    ("grad_eclip", {"layers": "all"}),
    ("grad_eclip", {"layers": "last", "heads": "single"}),
    ("grad_eclip", {"layers": "all", "heads": "single"}),
    ("integrated_gradients", {}),
    ("integrated_gradients", {"steps": 5}),
    ("occlusion", {}),
]
IMAGES_ALONE = [
    ("legrad", {}),
    ("legrad", {"layers": "last"}),
    ("legrad", {"layers": 2}),
    ("maskclip", {}),
]
CASES = [(*method, direction) for method in BOTH for direction in (IMAGE, TEXT)]
CASES += [(*method, IMAGE) for method in IMAGES_ALONE]

# Item 0 has two targets, item 1 none, item 2 one.
ITEMS, TARGETS = [0, 0, 2], [1, 2, 0]


def name(case):
    kind, params, direction = case
    return "-".join([kind, *(str(value) for value in params.values()), direction])


def build(family, shape):
    """The model, three images, three texts."""
    parameters, lengths = SHAPES[shape]
    model = random_model(family, **parameters)
    images = torch.stack([random_pixels(model, seed) for seed in range(3)])
    texts = [random_text(model, n_words, seed) for seed, n_words in enumerate(lengths)]
    return model, images, texts


def open_family(model):
    """The library's view of a model, with the specials that a tokenizer would tell."""
    config = model.config.text_config
    return open_model(model, config.eos_token_id, config.pad_token_id)


def explain(attribute, model, images, texts, direction):
    """The library's relevance of the content tokens, one tensor per pair."""
    clip = open_family(model)
    padding = model.config.text_config.pad_token_id
    ids = pad_sequence(texts, batch_first=True, padding_value=padding)
    tower, inputs, other, shown = (
        (clip.image, images, clip.text, ids)
        if direction == IMAGE
        else (clip.text, ids, clip.image, images)
    )
    targets = clip.embed(other, shown)[TARGETS]
    relevance = attribute(clip, tower, inputs, targets, torch.tensor(ITEMS))
    return [row[own] for row, own in zip(relevance, tower.content(inputs)[ITEMS], strict=True)]


def plain_pairs(images, texts, direction):
    """The image and the text of each pair."""
    for item, target in zip(ITEMS, TARGETS, strict=True):
        image, text = (item, target) if direction == IMAGE else (target, item)
        yield images[image], texts[text]


def assert_same_maps(found, expected):
    assert len(found) == len(expected)
    for ours, plain in zip(found, expected, strict=True):
        scale = plain.abs().max().item() if len(plain) else 0
        # float32 rounds a similarity, and so a small difference of two, by 1e-6.
        torch.testing.assert_close(ours, plain, atol=1e-4 * scale + 2e-6, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES, ids=name)
def test_relevance_equals_the_plain_method(case, family, shape):
    kind, params, direction = case
    model, images, texts = build(family, shape)
    if params.get("layers") == 2:
        params = {**params, "layers": min(2, model.config.text_config.num_hidden_layers)}
    found = explain(load_attribution(kind=kind, **params), model, images, texts, direction)
    method = getattr(plain_methods, kind)
    expected = [
        method(model, *pair, direction, **params) for pair in plain_pairs(images, texts, direction)
    ]
    assert_same_maps(found, expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("direction", [IMAGE, TEXT])
def test_rise_equals_the_plain_method_with_the_same_masks(direction, family, shape):
    model, images, texts = build(family, shape)
    params = {"masks": 20, "keep": 0.5, "cells": 3, "seed": 7}
    found = explain(load_attribution(kind="rise", **params), model, images, texts, direction)
    expected = []
    for pixels, ids in plain_pairs(images, texts, direction):
        # The library's own masks: what they are like is tested beside them.
        if direction == IMAGE:
            masks = pixel_masks(20, 3, 0.5, 7, size=pixels.shape[-1])
        else:
            masks = word_masks(20, 0.5, 7, n_words=len(content(model, ids, TEXT)))
        masks = torch.stack([torch.as_tensor(mask) for mask in masks])
        expected.append(plain_methods.rise(model, pixels, ids, direction, masks))
    assert_same_maps(found, expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", FAMILIES)
def test_content_tokens_are_the_patches_and_the_words(family, shape):
    model, images, texts = build(family, shape)
    clip = open_family(model)
    for image, found in zip(images, clip.image.content(images), strict=True):
        assert found.nonzero().flatten().tolist() == content(model, image, IMAGE)
    padding = model.config.text_config.pad_token_id
    ids = pad_sequence(texts, batch_first=True, padding_value=padding)
    for text, found in zip(texts, clip.text.content(ids), strict=True):
        assert found.nonzero().flatten().tolist() == content(model, text, TEXT)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES, ids=name)
def test_what_a_batch_holds_beside_an_item_changes_nothing(case, family):
    kind, params, direction = case
    model, images, texts = build(family, "three blocks")
    attribute = load_attribution(kind=kind, **params)
    together = explain(attribute, model, images, texts, direction)
    clip = open_family(model)
    pairs = plain_pairs(images, texts, direction)
    for ours, (pixels, ids) in zip(together, pairs, strict=True):
        tower, inputs, target = (
            (clip.image, pixels[None], clip.embed(clip.text, ids[None]))
            if direction == IMAGE
            else (clip.text, ids[None], clip.embed(clip.image, pixels[None]))
        )
        relevance = attribute(clip, tower, inputs, target, torch.tensor([0]))
        assert_same_maps([ours], [relevance[0][tower.content(inputs)[0]]])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("direction", [IMAGE, TEXT])
@pytest.mark.parametrize("kind", ["raw_attention", "rollout"])
def test_attention_alone_is_blind_to_the_prompt(kind, direction, family):
    model, images, texts = build(family, "three blocks")
    first, second, _ = explain(load_attribution(kind=kind), model, images, texts, direction)
    assert torch.equal(first, second)
