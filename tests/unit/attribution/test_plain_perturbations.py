"""The plain methods that change the input, checked in other ways."""

import pytest
import torch
from plain_forward import blocks, content, hooked, is_clip, similarity_without, stock_similarity
from plain_methods import (
    baseline_input,
    first_input,
    integrated_gradients,
    occlusion,
    rise,
    similarity_from,
)
from plain_models import random_pair as pair

families = pytest.mark.parametrize("family", ["clip", "siglip"])
directions = pytest.mark.parametrize("direction", ["text_to_image", "image_to_text"])


@families
@directions
def test_integrated_gradients_add_up_to_the_change_from_the_baseline(family, direction):
    model, pixels, ids = pair(family)
    start = baseline_input(model, pixels, ids, direction)
    change = stock_similarity(model, pixels, ids) - similarity_from(
        model, pixels, ids, direction, start
    )
    relevance = integrated_gradients(model, pixels, ids, direction, steps=256)
    assert abs(relevance.sum() - change) <= 0.01 * abs(change)


@families
def test_the_baselines_are_those_of_stock_inputs_without_content(family):
    model, pixels, ids = pair(family)
    start = baseline_input(model, pixels, ids, "text_to_image")
    grey = stock_similarity(model, torch.zeros_like(pixels), ids)
    torch.testing.assert_close(similarity_from(model, pixels, ids, "text_to_image", start)[0], grey)

    # A word with the padding's embedding, which stock pooling does not take for the end.
    stand_in, config = 0, model.config.text_config
    padding = config.eos_token_id if is_clip(model) else config.pad_token_id
    table = model.text_model.embeddings.token_embedding.weight
    table[stand_in] = table[padding]
    blank = ids.clone()
    blank[content(model, ids, "image_to_text")] = stand_in
    start = baseline_input(model, pixels, ids, "image_to_text")
    torch.testing.assert_close(
        similarity_from(model, pixels, ids, "image_to_text", start)[0],
        stock_similarity(model, pixels, blank),
    )


@families
@directions
def test_integrated_gradients_equal_a_fine_riemann_sum(family, direction):
    model, pixels, ids = pair(family)
    x = first_input(model, pixels, ids, direction)
    start = baseline_input(model, pixels, ids, direction)
    n = 1000
    alphas = ((torch.arange(n) + 0.5) / n)[:, None, None]
    path = (start + alphas * (x - start)).requires_grad_()
    with torch.enable_grad():
        similarities = similarity_from(model, pixels, ids, direction, path)
        (gradients,) = torch.autograd.grad(similarities.sum(), path)
    expected = ((x - start)[0] * gradients.mean(0)).sum(-1)[content(model, ids, direction)]
    relevance = integrated_gradients(model, pixels, ids, direction, steps=256)
    scale = expected.abs().max().item()
    torch.testing.assert_close(relevance, expected, atol=0.005 * scale, rtol=0)


def similarity_masked(model, pixels, ids, direction, hidden_from_all):
    """s when no query of any step sees the given columns."""

    def cover(mask, n):
        closed = torch.zeros(1, 1, 1, n)
        closed[..., hidden_from_all] = float("-inf")
        return closed if mask is None else mask + closed

    handles = [
        layer.register_forward_pre_hook(lambda _, args: (args[0], cover(args[1], args[0].shape[1])))
        for layer in blocks(model, direction)
    ]
    if not is_clip(model) and direction == "text_to_image":

        def cover_keys(module, args, kwargs):
            ignored = torch.zeros(1, args[1].shape[1], dtype=torch.bool)
            ignored[:, hidden_from_all] = True
            return args, {**kwargs, "key_padding_mask": ignored}

        attention = model.vision_model.head.attention
        handles.append(attention.register_forward_pre_hook(cover_keys, with_kwargs=True))
    with hooked(*handles):
        return stock_similarity(model, pixels, ids)


@families
@directions
def test_a_token_taken_out_equals_a_token_that_nobody_attends_to(family, direction):
    model, pixels, ids = pair(family)
    tokens = content(model, ids, direction)
    relevance = occlusion(model, pixels, ids, direction)
    whole = stock_similarity(model, pixels, ids)
    for token, found in zip(tokens, relevance, strict=True):
        covered = similarity_masked(model, pixels, ids, direction, [token])
        torch.testing.assert_close(found, whole - covered, atol=1e-5, rtol=1e-5)
    assert relevance.abs().min() > 1e-4
    several = tokens[:2] + tokens[-1:]
    torch.testing.assert_close(
        similarity_without(model, pixels, ids, direction, several),
        similarity_masked(model, pixels, ids, direction, several),
    )


@families
def test_rise_with_everything_or_one_half_shown_gives_what_the_half_lacks(family):
    model, pixels, ids = pair(family)
    shown = torch.ones(2, *pixels.shape[1:])
    shown[1, :, pixels.shape[-1] // 2 :] = 0
    relevance = rise(model, pixels, ids, "text_to_image", shown).reshape(4, 4)
    lacking = stock_similarity(model, pixels, ids) - stock_similarity(model, pixels * shown[1], ids)
    torch.testing.assert_close(relevance[:, 2:], (lacking / 2).expand(4, 2), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(relevance[:, :2], torch.zeros(4, 2), atol=1e-5, rtol=0)


@families
def test_rise_with_one_word_left_out_at_a_time_ranks_as_occlusion_does(family):
    model, pixels, ids = pair(family)
    leave_one_out = ~torch.eye(5, dtype=torch.bool)
    relevance = rise(model, pixels, ids, "image_to_text", leave_one_out)
    dropped = stock_similarity(model, pixels, ids) - occlusion(model, pixels, ids, "image_to_text")
    expected = (dropped.sum() - dropped) / 4 - dropped.mean()
    torch.testing.assert_close(relevance, expected, atol=1e-5, rtol=1e-5)
    never = rise(model, pixels, ids, "image_to_text", torch.tensor([[True] * 4 + [False]]))
    assert never[-1] == 0
