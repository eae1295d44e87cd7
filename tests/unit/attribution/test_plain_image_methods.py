"""The plain methods for images alone, checked in other ways."""

import pytest
import torch
from plain_forward import embeddings, forward, hooked
from plain_methods import legrad, maskclip
from plain_models import random_pair as pair
from torch.nn.functional import cosine_similarity, normalize

families = pytest.mark.parametrize("family", ["clip", "siglip"])


def test_maskclip_is_the_head_of_a_siglip_that_sees_one_patch_alone():
    model, pixels, ids = pair("siglip")
    _, text = embeddings(model, pixels, ids)
    local = maskclip(model, pixels, ids)
    for patch, found in enumerate(local):
        handle = model.vision_model.head.register_forward_pre_hook(
            lambda _, args, patch=patch: (args[0][:, patch : patch + 1],)
        )
        with hooked(handle):
            image, _ = embeddings(model, pixels, ids)
        torch.testing.assert_close(found, image @ text)


def test_maskclip_is_the_last_attention_of_a_clip_that_sees_one_patch_alone():
    model, pixels, ids = pair("clip")
    _, text = embeddings(model, pixels, ids)
    _, steps = forward(model, pixels, ids, "text_to_image")
    block, tower = model.vision_model.encoder.layers[-1], model.vision_model
    for patch, found in enumerate(maskclip(model, pixels, ids), start=1):
        alone = block.layer_norm1(steps[-1].x[:, patch : patch + 1])
        attended, _ = block.self_attn(alone, attention_mask=None)
        local = model.visual_projection(tower.post_layernorm(attended[0]))
        expected = cosine_similarity(local, text[None])[0]
        torch.testing.assert_close(found, expected.detach())


@families
@pytest.mark.parametrize("layers", ["last", 2, "all"])
def test_legrad_lies_between_zero_and_one_and_depends_on_the_layers(family, layers):
    model, pixels, ids = pair(family)
    relevance = legrad(model, pixels, ids, layers=layers)
    assert (relevance.min(), relevance.max()) == (0, 1)
    others = {"last", 2, "all"} - {layers}
    assert all(
        not torch.equal(relevance, legrad(model, pixels, ids, layers=other)) for other in others
    )


def test_legrad_of_a_siglips_last_block_is_that_of_its_embedding():
    """Its last block's output is what the stock head pools: s^L is the stock cosine."""
    model, pixels, ids = pair("siglip")
    similarity, steps = forward(model, pixels, ids, "text_to_image")
    (gradient,) = torch.autograd.grad(similarity, steps[-1].attention)
    energy = gradient[0, :, 0].relu().mean(0)
    expected = (energy - energy.min()) / (energy.max() - energy.min())
    torch.testing.assert_close(legrad(model, pixels, ids, layers="last"), expected)


def test_legrad_of_a_clip_follows_its_mean_token_through_one_block_alone():
    """∂s^l/∂A[h, q, j] from the output projection and the values of the block, written out."""
    model, pixels, ids = pair("clip", heads=1, depth=1)
    _, text = embeddings(model, pixels, ids)
    _, steps = forward(model, pixels, ids, "text_to_image")
    block, step, tower = model.vision_model.encoder.layers[0], steps[0], model.vision_model
    context = step.o.detach().requires_grad_()
    with torch.enable_grad():
        middle = step.x.detach() + block.self_attn.out_proj(context)
        z = middle + block.mlp(block.layer_norm2(middle))
        mean = normalize(model.visual_projection(tower.post_layernorm(z.mean(1)))[0], dim=-1)
        (gradient,) = torch.autograd.grad(mean @ text, context)
    energy = (gradient[0] @ step.v[0].T).relu().mean(0)[1:].detach()
    expected = (energy - energy.min()) / (energy.max() - energy.min())
    torch.testing.assert_close(legrad(model, pixels, ids), expected, atol=1e-5, rtol=1e-4)
