"""Small stock models of both families with random weights, none of them zero.

A bias of zero hides whether it is used, and flat attention hides which row was read.
"""

import torch
from plain_attribution import random_clip
from transformers import SiglipConfig, SiglipModel


def random_siglip(
    seed=0,
    width=32,
    heads=4,
    depth=2,
    image_size=32,
    patch=8,
    vocabulary=50,
    context=16,
    end=1,
    pad=1,
):
    """A SigLIP of the given shape; `end` and `pad` are equal in SigLIP, apart in SigLIP 2."""
    tower = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": heads,
        "num_hidden_layers": depth,
    }
    config = SiglipConfig(
        text_config={
            **tower,
            "vocab_size": vocabulary,
            "max_position_embeddings": context,
            "eos_token_id": end,
            "pad_token_id": pad,
            "bos_token_id": None,
        },
        vision_config={**tower, "image_size": image_size, "patch_size": patch},
        attn_implementation="eager",
    )
    model = SiglipModel(config).eval().requires_grad_(False)
    draw_weights(model, seed)
    return model


# Queries and keys wider than usual make attention peaky.
GAINS = {"q_proj.weight": 2, "k_proj.weight": 2, "in_proj_weight": 1.5}
EMBEDDINGS = ("token_embedding.weight", "position_embedding.weight", "class_embedding", "probe")


def draw_weights(model, seed=0):
    """Every parameter drawn anew, in place: activations keep their scale, no bias is zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, weights in model.named_parameters():
        if name.startswith("logit_"):
            continue
        if name.endswith(EMBEDDINGS):
            weights.normal_(generator=generator)
        elif name.endswith("bias"):
            weights.normal_(std=0.3, generator=generator)
        elif weights.ndim == 1:  # the scale of a layer norm
            weights.normal_(mean=1, std=0.3, generator=generator)
        else:
            gain = next((GAINS[end] for end in GAINS if name.endswith(end)), 1)
            weights.normal_(std=gain / weights[0].numel() ** 0.5, generator=generator)
    model.logit_scale.fill_(2.3)
    if model.config.model_type == "siglip":
        model.logit_bias.fill_(-3.0)


def random_model(family, **shape):
    """A model of "clip", "siglip" or "siglip2" with random weights, peaky attention and biases."""
    if family == "siglip2":
        return random_siglip(**shape, pad=0)
    if family == "siglip":
        return random_siglip(**shape)
    model = random_clip(**shape)
    draw_weights(model, shape.get("seed", 0))
    return model


def random_text(model, n_words, seed=0):
    """Ids of one text: CLIP's [start, words…, end], SigLIP's [words…, end, pads…]."""
    config = model.config.text_config
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(2, config.vocab_size - 2, (n_words,), generator=generator)
    end = torch.tensor([config.eos_token_id])
    if model.config.model_type == "clip":
        return torch.cat([torch.tensor([config.bos_token_id]), words, end])
    pads = torch.full((config.max_position_embeddings - n_words - 1,), config.pad_token_id)
    return torch.cat([words, end, pads])


def random_pixels(model, seed=0):
    """One normalised image (3, S, S)."""
    side = model.config.vision_config.image_size
    return torch.randn(3, side, side, generator=torch.Generator().manual_seed(seed))


def random_pair(family, n_words=5, **shape):
    """A model three blocks deep unless told, an image and a text."""
    model = random_model(family, **{"depth": 3, **shape})
    return model, random_pixels(model), random_text(model, n_words)
