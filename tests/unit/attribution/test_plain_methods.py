"""The plain methods that the library is checked against, checked in other ways themselves."""

import pytest
import torch
from plain_attribution import plain_relevance
from plain_forward import (
    blocks,
    content,
    forward,
    hooked,
    pooled_row,
    stock_similarity,
)
from plain_methods import (
    attention_gradcam,
    grad_eclip,
    gradcam,
    gradient_attention,
    integrated_gradients,
    occlusion,
    raw_attention,
    raw_attention_row,
    rollout,
    rollout_row,
)
from plain_models import random_pair as pair
from torch.nn.functional import normalize

BOTH_TOWERS = [
    gradient_attention,
    raw_attention,
    rollout,
    attention_gradcam,
    gradcam,
    grad_eclip,
    integrated_gradients,
    occlusion,
]
DIRECTIONS = ["text_to_image", "image_to_text"]
families = pytest.mark.parametrize("family", ["clip", "siglip"])
directions = pytest.mark.parametrize("direction", DIRECTIONS)


@families
def test_the_random_models_have_peaky_attention_and_no_zero_bias(family):
    model, pixels, ids = pair(family)
    assert all(weights.abs().min() > 0 for weights in model.parameters())
    for direction in DIRECTIONS:
        _, steps = forward(model, pixels, ids, direction)
        assert all(step.attention.max(-1).values.mean() > 0.35 for step in steps)


@families
@directions
def test_recording_leaves_the_stock_similarity_as_it_is(family, direction):
    model, pixels, ids = pair(family)
    similarity, steps = forward(model, pixels, ids, direction)
    torch.testing.assert_close(similarity.detach(), stock_similarity(model, pixels, ids))
    expected = model.config.text_config.num_hidden_layers
    assert len(steps) == expected + (family == "siglip" and direction == "text_to_image")
    assert not any(p.requires_grad for p in model.parameters())


@directions
def test_gradient_attention_of_a_clip_equals_the_older_plain_relevance(direction):
    model, pixels, ids = pair("clip")
    for layers, used in (("last", 1), (2, 2), ("all", 3)):
        ours = gradient_attention(model, pixels, ids, direction, layers)
        torch.testing.assert_close(ours, plain_relevance(model, pixels, ids, direction, used))


@families
@directions
def test_an_attention_gradient_is_the_context_gradient_times_the_values(family, direction):
    """∂s/∂A[h, i, j] = ⟨∂s/∂o[i]_h, v[j]_h⟩: the closed form, at every step."""
    model, pixels, ids = pair(family)
    similarity, steps = forward(model, pixels, ids, direction)
    gradients = torch.autograd.grad(
        similarity, [s.attention for s in steps] + [s.o for s in steps], retain_graph=True
    )
    for step, of_attention, of_context in zip(
        steps, gradients[: len(steps)], gradients[len(steps) :], strict=True
    ):
        heads = step.attention.shape[1]
        context, values = (part.unflatten(-1, (heads, -1)) for part in (of_context, step.v))
        closed = torch.einsum("bihd,bjhd->bhij", context, values)
        torch.testing.assert_close(of_attention, closed, atol=1e-6, rtol=1e-4)
    row, last = pooled_row(model, ids, direction), steps[-1]
    expected = (closed * last.attention)[0, :, row].relu().mean(0)[content(model, ids, direction)]
    relevance = gradient_attention(model, pixels, ids, direction, "last")
    torch.testing.assert_close(relevance, expected.detach(), atol=1e-6, rtol=1e-4)


@families
@directions
def test_rows_of_raw_attention_and_of_rollout_sum_to_one_over_all_columns(family, direction):
    model, pixels, ids = pair(family)
    for row in (raw_attention_row, rollout_row):
        torch.testing.assert_close(row(model, pixels, ids, direction).sum(), torch.tensor(1.0))


@families
@directions
def test_rollout_of_one_block_is_a_lazy_walk(family, direction):
    """Each token keeps half of itself in a block; SigLIP's head keeps nothing of its probe."""
    model, pixels, ids = pair(family, depth=1)
    _, (block, *head) = forward(model, pixels, ids, direction)
    attention, tokens = block.attention[0].mean(0).detach(), content(model, ids, direction)
    row = pooled_row(model, ids, direction)
    expected = attention[row] / 2
    if head:
        weights = head[0].attention[0, :, 0].mean(0).detach()
        expected = weights / 2 + weights @ attention / 2
    torch.testing.assert_close(rollout(model, pixels, ids, direction), expected[tokens])


@families
@directions
def test_attention_gradcam_weighs_heads_by_their_mean_value(family, direction):
    """mean_j ∂s/∂A[h, r, j] = ⟨∂s/∂o[r]_h, mean_j v[j]_h⟩."""
    model, pixels, ids = pair(family)
    similarity, steps = forward(model, pixels, ids, direction)
    row, step = pooled_row(model, ids, direction), steps[-1]
    (gradient,) = torch.autograd.grad(similarity, step.o)
    heads = step.attention.shape[1]
    weights = (gradient[0, row] * step.v[0].mean(0)).unflatten(0, (heads, -1)).sum(1)
    expected = (weights @ step.attention[0, :, row] / heads).relu().detach()
    found = attention_gradcam(model, pixels, ids, direction)
    torch.testing.assert_close(found, expected[content(model, ids, direction)])
    assert found.max() > 0


@families
@directions
def test_eclip_is_the_summed_attention_gradient_times_a_likeness(family, direction):
    """Σ_d g_d·v[n, d] = Σ_h ∂s/∂A[h, r, n]; cos(a, b) = 1 − |â − b̂|² / 2."""
    model, pixels, ids = pair(family, seed=1)
    similarity, steps = forward(model, pixels, ids, direction)
    (gradient,) = torch.autograd.grad(similarity, steps[-1].attention)
    row, tokens = pooled_row(model, ids, direction), content(model, ids, direction)
    project = steps[-1].project
    query = normalize(project(steps[-1].q[0, row]) - project.bias, dim=-1)
    keys = normalize(project(steps[-1].k[0, tokens]) - project.bias, dim=-1)
    likeness = 1 - (query - keys).square().sum(-1) / 2
    likeness = (likeness - likeness.min()) / (likeness.max() - likeness.min())
    expected = (gradient[0, :, row].sum(0)[tokens] * likeness).relu().detach()
    found = grad_eclip(model, pixels, ids, direction, "last")
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert found.max() > 0


@pytest.mark.parametrize("method", BOTH_TOWERS)
def test_padding_after_the_end_of_a_clip_text_changes_nothing(method):
    model, pixels, ids = pair("clip")
    padded = torch.cat([ids, ids[-1:].expand(4)])
    short, long = (method(model, pixels, text, "image_to_text") for text in (ids, padded))
    torch.testing.assert_close(long, short, atol=1e-5, rtol=1e-5)


@families
@directions
def test_attention_without_queries_gives_flat_maps(family, direction):
    model, pixels, ids = pair(family)
    for name, weights in model.named_parameters():
        if "q_proj" in name:
            weights.zero_()
    if family == "siglip":
        attention = model.vision_model.head.attention
        attention.in_proj_weight[: attention.embed_dim] = 0
        attention.in_proj_bias[: attention.embed_dim] = 0
    maps = [raw_attention, attention_gradcam]
    # Rollout through causal blocks favours early words; through SigLIP's text it treats all alike.
    if family == "siglip" or direction == "text_to_image":
        maps.append(rollout)
    for method in maps:
        relevance = method(model, pixels, ids, direction)
        torch.testing.assert_close(relevance, relevance.mean().expand(len(relevance)))


@families
@directions
def test_gradcam_weighs_by_the_slope_of_the_similarity(family, direction):
    """Moving all content tokens by δ changes s by n·⟨w, δ⟩: w found from differences."""
    model, pixels, ids = pair(family)
    tokens = content(model, ids, direction)
    step = forward(model, pixels, ids, direction)[1][-1]
    entered = blocks(model, direction)[-1]
    if family == "siglip" and direction == "text_to_image":
        entered = model.vision_model.post_layernorm
    width, size = step.x.shape[-1], 1e-2
    moves = torch.zeros(2 * width, *step.x.shape[1:])
    moves[:, tokens] = size * torch.cat([torch.eye(width), -torch.eye(width)])[:, None]
    handle = entered.register_forward_pre_hook(lambda _, args: (args[0] + moves, *args[1:]))
    batch = (ids.expand(2 * width, -1), pixels.expand(2 * width, -1, -1, -1))
    with hooked(handle):
        moved = model(*batch).logits_per_image
    moved = moved[:, 0] if direction == "text_to_image" else moved[0]
    slopes = (moved[:width] - moved[width:]) / (2 * size) / len(tokens)
    expected = (step.x[0, tokens] @ slopes).relu().detach()
    found = gradcam(model, pixels, ids, direction)
    torch.testing.assert_close(found, expected, atol=0.02 * expected.max().item(), rtol=0)


@families
@directions
@pytest.mark.parametrize("layers", ["last", 2, "all", "auto"])
def test_a_model_of_one_head_has_the_same_eclip_with_a_single_head(family, direction, layers):
    model, pixels, ids = pair(family, heads=1)
    maps = [grad_eclip(model, pixels, ids, direction, layers, h) for h in ("multi", "single")]
    assert torch.equal(*maps)
    assert maps[0].max() > 0


@families
@directions
def test_a_single_head_is_that_of_the_same_weights_in_a_model_of_one_head(family, direction):
    shape = {"seed": 5, "depth": 2}
    (many, pixels, ids), (one, _, _) = pair(family, **shape), pair(family, heads=1, **shape)
    one.load_state_dict(many.state_dict())
    other = {"text_to_image": "text_model", "image_to_text": "vision_model"}[direction]
    setattr(one, other, getattr(many, other))
    layers = "all"
    single = grad_eclip(many, pixels, ids, direction, layers, "single")
    torch.testing.assert_close(single, grad_eclip(one, pixels, ids, direction, layers))
    assert not torch.equal(single, grad_eclip(many, pixels, ids, direction, layers))
    before = stock_similarity(many, pixels, ids)
    assert not torch.equal(before, stock_similarity(one, pixels, ids))
    # The model is given back with its own heads.
    torch.testing.assert_close(before, forward(many, pixels, ids, direction)[0].detach())


@families
@directions
def test_eclip_takes_the_last_layer_of_images_and_eight_of_texts(family, direction):
    model, pixels, ids = pair(family, n_words=10, depth=9, width=16)
    layers = {"text_to_image": "last", "image_to_text": 8}[direction]
    found, expected, every = (
        grad_eclip(model, pixels, ids, direction, n) for n in ("auto", layers, "all")
    )
    assert torch.equal(found, expected)
    assert not torch.equal(found, every)


@families
@directions
def test_a_text_without_words_is_explained(family, direction):
    model, pixels, ids = pair(family, n_words=0)
    n_content = 16 if direction == "text_to_image" else 0
    for method in BOTH_TOWERS:
        relevance = method(model, pixels, ids, direction)
        assert relevance.shape == (n_content,)
        assert relevance.isfinite().all()
