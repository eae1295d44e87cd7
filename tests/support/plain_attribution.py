"""The method written plainly: stock transformers model, hooks for A, one backward pass per pair.

It shares no code with the library, so the two can disagree.
"""

import torch
from transformers import CLIPConfig, CLIPModel


def random_clip(
    seed=0,
    width=32,
    heads=4,
    depth=2,
    image_size=32,
    patch=8,
    vocabulary=50,
    embedding=24,
    context=16,
):
    """A CLIP of the given shape with random weights; end-of-text is the highest id."""
    torch.manual_seed(seed)
    tower = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": heads,
        "num_hidden_layers": depth,
        "initializer_range": 0.2,
    }
    config = CLIPConfig(
        text_config={
            **tower,
            "vocab_size": vocabulary,
            "max_position_embeddings": context,
            "eos_token_id": vocabulary - 1,
            "bos_token_id": vocabulary - 2,
            "pad_token_id": vocabulary - 1,
        },
        vision_config={**tower, "image_size": image_size, "patch_size": patch},
        projection_dim=embedding,
        initializer_factor=4.0,
        attn_implementation="eager",
    )
    return CLIPModel(config).eval().requires_grad_(False)


def plain_relevance(model, pixels, ids, direction, used):
    """Pooled row of R for one image and one text; `used` layers, the last ones.

    Chefer et al. 2021: R starts as the identity; R ← R + mean_h relu(∂s/∂A ⊙ A) · R.
    """
    tower = model.vision_model if direction == "text_to_image" else model.text_model
    maps = []

    def keep(_, __, output):
        output[1].requires_grad_()
        output[1].retain_grad()
        maps.append(output[1])

    hooks = [layer.self_attn.register_forward_hook(keep) for layer in tower.encoder.layers]
    with torch.enable_grad():
        model.requires_grad_(True)
        out = model(input_ids=ids[None], pixel_values=pixels[None])
        similarity = out.logits_per_image[0, 0]
        gradients = torch.autograd.grad(similarity, maps)
    model.requires_grad_(False)
    for hook in hooks:
        hook.remove()
    n_tokens = maps[0].shape[-1]
    relevance = torch.eye(n_tokens, dtype=pixels.dtype)
    for attention, gradient in list(zip(maps, gradients, strict=True))[-used:]:
        weighted = (attention * gradient).clamp(min=0)[0].mean(0).detach()
        relevance = relevance + weighted @ relevance
    if direction == "text_to_image":
        return relevance[0, 1:]
    end = int((ids == model.config.text_config.eos_token_id).int().argmax())
    return relevance[end, 1:end]
