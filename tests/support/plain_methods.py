"""The attribution methods written plainly: one pair at a time, stock models, plain autograd.

They share no code with the library, so the two can disagree. Each takes one image (3, S, S), the
ids of one text (n_tokens,), a direction, and returns the relevance of the content tokens.
"""

from contextlib import contextmanager

import torch
from captum.attr import IntegratedGradients
from plain_forward import (
    Step,
    blocks,
    content,
    embeddings,
    first_input,
    forward,
    hooked,
    is_clip,
    pooled_row,
    pooling_head,
    similarity_from,
    similarity_without,
    spell_out,
    stock_similarity,
)
from torch.nn.functional import avg_pool2d, cosine_similarity, normalize


def last(layers, n_steps):
    """How many of the last steps are used."""
    return {"last": 1, "all": n_steps}.get(layers, layers)


def min_max(values):
    if len(values) == 0 or values.max() == values.min():
        return torch.zeros_like(values)
    return (values - values.min()) / (values.max() - values.min())


def gradient_attention(model, pixels, ids, direction, layers="last"):
    similarity, steps = forward(model, pixels, ids, direction)
    used = steps[-last(layers, len(steps)) :]
    gradients = torch.autograd.grad(similarity, [step.attention for step in used])
    relevance = torch.eye(steps[0].x.shape[1], dtype=pixels.dtype)
    for step, gradient in zip(used, gradients, strict=True):
        weighted = (gradient * step.attention).relu()[0].mean(0).detach()
        # The probe of the pooling head is no token: its row has no residual to keep.
        residual = 0 if len(weighted) == 1 else relevance
        relevance = residual + weighted @ relevance
    return relevance[pooled_row(model, ids, direction), content(model, ids, direction)]


def raw_attention_row(model, pixels, ids, direction):
    """Over all columns."""
    _, steps = forward(model, pixels, ids, direction)
    return steps[-1].attention[0, :, pooled_row(model, ids, direction)].mean(0).detach()


def raw_attention(model, pixels, ids, direction):
    return raw_attention_row(model, pixels, ids, direction)[content(model, ids, direction)]


def rollout_row(model, pixels, ids, direction):
    """Over all columns."""
    _, steps = forward(model, pixels, ids, direction)
    product = torch.eye(steps[0].x.shape[1], dtype=pixels.dtype)
    for step in steps:
        flow = step.attention[0].mean(0).detach()
        if len(flow) > 1:
            flow = flow + torch.eye(len(flow), dtype=flow.dtype)
        product = flow / flow.sum(-1, keepdim=True) @ product
    return product[pooled_row(model, ids, direction)]


def rollout(model, pixels, ids, direction):
    return rollout_row(model, pixels, ids, direction)[content(model, ids, direction)]


def attention_gradcam(model, pixels, ids, direction):
    similarity, steps = forward(model, pixels, ids, direction)
    (gradient,) = torch.autograd.grad(similarity, steps[-1].attention)
    row = pooled_row(model, ids, direction)
    visible = steps[-1].attention.shape[-1]
    if is_clip(model) and direction == "image_to_text":
        visible = row + 1
    weights = gradient[0, :, row, :visible].mean(-1)
    cam = (weights[:, None] * steps[-1].attention[0, :, row]).mean(0).relu().detach()
    return cam[content(model, ids, direction)]


def gradcam(model, pixels, ids, direction):
    similarity, steps = forward(model, pixels, ids, direction)
    x = steps[-1].x
    (gradient,) = torch.autograd.grad(similarity, x)
    tokens = content(model, ids, direction)
    weights = gradient[0, tokens].mean(0)
    return (x[0, tokens] @ weights).relu().detach()


def legrad(model, pixels, ids, direction="text_to_image", layers="all"):
    assert direction == "text_to_image"
    _, text = embeddings(model, pixels, ids)
    _, steps = forward(model, pixels, ids, direction)
    steps = steps[: len(blocks(model, direction))]
    explain = clip_legrad if is_clip(model) else siglip_legrad
    used = steps[-last(layers, len(steps)) :]
    total = sum(explain(model, step, text) for step in used)
    return min_max(total[content(model, ids, direction)])


def clip_legrad(model, step, text):
    """What the attention of one block gives to each column, judged by the block's mean token."""
    with torch.enable_grad():
        pooled = model.vision_model.post_layernorm(step.z.mean(1))
        similarity = normalize(model.visual_projection(pooled)[0], dim=-1) @ text
        (gradient,) = torch.autograd.grad(similarity, step.attention, retain_graph=True)
    return gradient[0].relu().mean((0, 1))


def siglip_legrad(model, step, text):
    """What the head gives to each patch when it pools the output of one block."""
    tower = model.vision_model
    pooling = Step(tower.head.attention.out_proj)
    hook = tower.head.attention.register_forward_hook(spell_out(pooling))
    with torch.enable_grad(), hooked(hook):
        similarity = normalize(tower.head(tower.post_layernorm(step.z))[0], dim=-1) @ text
        (gradient,) = torch.autograd.grad(similarity, pooling.attention)
    return gradient[0, :, 0].relu().mean(0)


def grad_eclip(model, pixels, ids, direction, layers="auto", heads="multi"):
    n_steps = len(blocks(model, direction)) + (pooling_head(model, direction) is not None)
    if layers == "auto":
        layers = "last" if direction == "text_to_image" else min(8, n_steps)
    n_used = last(layers, n_steps)
    if heads == "single":
        with one_head(model, direction, n_used):
            return weigh_values(model, pixels, ids, direction, n_used)
    return weigh_values(model, pixels, ids, direction, n_used)


def weigh_values(model, pixels, ids, direction, n_used):
    similarity, steps = forward(model, pixels, ids, direction)
    row, tokens = pooled_row(model, ids, direction), content(model, ids, direction)
    used = steps[-n_used:]
    gradients = torch.autograd.grad(similarity, [step.o for step in used])
    total = torch.zeros(len(tokens), dtype=pixels.dtype)
    for step, gradient in zip(used, gradients, strict=True):
        query_row = 0 if step.q.shape[1] == 1 else row
        w_o = step.project.weight
        query, keys = w_o @ step.q[0, query_row], step.k[0, tokens] @ w_o.T
        likeness = min_max(cosine_similarity(query[None], keys, dim=-1))
        total += ((step.v[0, tokens] @ gradient[0, query_row]) * likeness).relu().detach()
    return total


@contextmanager
def one_head(model, direction, n_used):
    """The last `n_used` steps attend with a single head as wide as the model."""
    modules = [layer.self_attn for layer in blocks(model, direction)]
    head = pooling_head(model, direction)
    if head is not None:
        modules.append(head.attention)
    names = ("num_heads", "head_dim", "scale")
    before = []
    for module in modules[-n_used:]:
        before.append((module, {name: getattr(module, name, None) for name in names}))
        module.num_heads, module.head_dim = 1, module.embed_dim
        module.scale = module.embed_dim**-0.5
    try:
        yield
    finally:
        for module, values in before:
            for name, value in values.items():
                setattr(module, name, value)


def maskclip(model, pixels, ids, direction="text_to_image"):
    assert direction == "text_to_image"
    _, text = embeddings(model, pixels, ids)
    _, steps = forward(model, pixels, ids, direction)
    values = steps[-1].project(steps[-1].v[0, content(model, ids, direction)]).detach()
    if is_clip(model):
        local = model.visual_projection(model.vision_model.post_layernorm(values))
    else:
        head = model.vision_model.head
        local = values + head.mlp(head.layernorm(values))
    return cosine_similarity(local, text[None], dim=-1)


def baseline_input(model, pixels, ids, direction):
    """What enters the first block for an image without content, a text without words."""
    if direction == "text_to_image":
        return first_input(model, torch.zeros_like(pixels), ids, direction)
    blank = ids.clone()
    config = model.config.text_config
    padding = config.eos_token_id if is_clip(model) else config.pad_token_id
    blank[content(model, ids, direction)] = padding
    return first_input(model, pixels, blank, direction)


def integrated_gradients(model, pixels, ids, direction, steps=64):
    def similarity(hidden):
        return similarity_from(model, pixels, ids, direction, hidden)

    with torch.enable_grad():
        attributed = IntegratedGradients(similarity, multiply_by_inputs=True).attribute(
            first_input(model, pixels, ids, direction),
            baselines=baseline_input(model, pixels, ids, direction),
            n_steps=steps,
            method="gausslegendre",
        )
    return attributed[0].sum(-1).detach()[content(model, ids, direction)]


def occlusion(model, pixels, ids, direction):
    whole = similarity_without(model, pixels, ids, direction, [])
    drops = [
        whole - similarity_without(model, pixels, ids, direction, [token])
        for token in content(model, ids, direction)
    ]
    return torch.stack(drops) if drops else pixels.new_zeros(0)


def rise(model, pixels, ids, direction, masks):
    """`masks`: (n_masks, S, S) of an image's pixels; (n_masks, n_words) bool, the words kept."""
    words = content(model, ids, "image_to_text")
    weighted = shown = total = 0
    for mask in masks:
        if direction == "text_to_image":
            similarity = stock_similarity(model, pixels * mask, ids)
            patch = model.config.vision_config.patch_size
            mask = avg_pool2d(mask[None, None].to(pixels.dtype), patch).flatten()
        else:
            removed = [word for word, kept in zip(words, mask, strict=True) if not kept]
            similarity = similarity_without(model, pixels, ids, direction, removed)
        weighted, shown = weighted + similarity * mask, shown + mask
        total += similarity
    return torch.where(shown > 0, weighted / shown - total / len(masks), 0)
