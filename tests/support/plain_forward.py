"""One stock forward pass of one image and one text, with what the attribution methods read.

Hooks record the tensors of the explained tower; they change nothing in what the stock model
computes, but for a token that a caller takes out or hidden states that it puts in.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.nn.functional import linear, normalize


@dataclass
class Step:
    """What one attention step saw: a block, or SigLIP's pooling head.

    `x` (1, n, width) enters the step and `z` leaves it; `q`, `k`, `v`, `o` (1, n, width) are
    concatenated over the heads (`q` and `o` have one row in the pooling head); `attention` is
    (1, heads, queries, n). All are in the graph of the similarity.
    """

    project: torch.nn.Linear
    x: torch.Tensor = None
    q: torch.Tensor = None
    k: torch.Tensor = None
    v: torch.Tensor = None
    o: torch.Tensor = None
    attention: torch.Tensor = None
    z: torch.Tensor = None


def is_clip(model):
    return model.config.model_type in ("clip", "metaclip_2")


def explained_tower(model, direction):
    return {"text_to_image": model.vision_model, "image_to_text": model.text_model}[direction]


def blocks(model, direction):
    return explained_tower(model, direction).encoder.layers


def pooling_head(model, direction):
    """SigLIP's attention that pools the patches; None for every other tower."""
    return None if is_clip(model) or direction == "image_to_text" else model.vision_model.head


def pooled_row(model, ids, direction):
    """The query whose output becomes the embedding."""
    if direction == "text_to_image":
        return 0  # CLIP's class token; the only query of SigLIP's head
    return end_of_text(model, ids) if is_clip(model) else len(ids) - 1


def end_of_text(model, ids):
    return ids.tolist().index(model.config.text_config.eos_token_id)


def content(model, ids, direction):
    """Positions of the content tokens, in order."""
    if direction == "text_to_image":
        config = model.config.vision_config
        first = 1 if is_clip(model) else 0
        return list(range(first, first + (config.image_size // config.patch_size) ** 2))
    return list(range(1 if is_clip(model) else 0, end_of_text(model, ids)))


def embeddings(model, pixels, ids):
    """Unit embeddings (width,) of the image and of the text."""
    out = model(input_ids=ids[None], pixel_values=pixels[None])
    return normalize(out.image_embeds[0], dim=-1), normalize(out.text_embeds[0], dim=-1)


@contextmanager
def hooked(*handles):
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def stock_similarity(model, pixels, ids):
    """s of one pair."""
    return model(input_ids=ids[None], pixel_values=pixels[None]).logits_per_image[0, 0]


def forward(model, pixels, ids, direction):
    """Similarity of one pair, in a graph that starts at the first block's input, and the steps."""
    layers = blocks(model, direction)
    head = pooling_head(model, direction)
    steps = [Step(layer.self_attn.out_proj) for layer in layers]
    handles = [layers[0].register_forward_pre_hook(start_graph)]
    for layer, step in zip(layers, steps, strict=True):
        handles += record(layer, step)
    if head is not None:
        steps.append(Step(head.attention.out_proj))
        handles.append(head.attention.register_forward_hook(spell_out(steps[-1])))
    with torch.enable_grad(), hooked(*handles):
        similarity = stock_similarity(model, pixels, ids)
    if head is not None:
        steps[-1].x = steps[-2].z
    return similarity, steps


def start_graph(_, args):
    return (args[0].detach().requires_grad_(), *args[1:])


def keep(step, **tensors):
    for name, value in tensors.items():
        setattr(step, name, value)


def record(layer, step):
    """Hooks that fill in the step of one block."""
    attention = layer.self_attn
    return [
        layer.register_forward_pre_hook(lambda _, args: keep(step, x=args[0])),
        attention.q_proj.register_forward_hook(lambda _, args, out: keep(step, q=out)),
        attention.k_proj.register_forward_hook(lambda _, args, out: keep(step, k=out)),
        attention.v_proj.register_forward_hook(lambda _, args, out: keep(step, v=out)),
        attention.out_proj.register_forward_pre_hook(lambda _, args: keep(step, o=args[0])),
        attention.register_forward_hook(lambda _, args, out: keep(step, attention=out[1])),
        layer.register_forward_hook(lambda _, args, out: keep(step, z=out)),
    ]


def spell_out(step):
    """A hook that repeats the head's attention in the open, so that A is in the graph.

    nn.MultiheadAttention hands out its weights but not as part of the graph. What is repeated has
    to equal its output.
    """

    def repeat(module, args, output):
        probe, x, _ = args
        weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
        q, k, v = (linear(*triple) for triple in zip((probe, x, x), weights, biases, strict=True))
        size = module.embed_dim // module.num_heads
        q_heads, k_heads, v_heads = (
            part.unflatten(-1, (module.num_heads, size)).transpose(1, 2) for part in (q, k, v)
        )
        attention = (q_heads @ k_heads.transpose(-1, -2) / size**0.5).softmax(dim=-1)
        o = (attention @ v_heads).transpose(1, 2).flatten(2)
        result = linear(o, module.out_proj.weight, module.out_proj.bias)
        torch.testing.assert_close(result, output[0], atol=1e-5, rtol=1e-5)
        keep(step, q=q, k=k, v=v, o=o, attention=attention)
        return result, output[1]

    return repeat


def similarity_without(model, pixels, ids, direction, removed):
    """s of the pair when the `removed` positions never enter the first block."""
    layers = blocks(model, direction)
    n_tokens = count_tokens(model, ids, direction)
    kept = [position for position in range(n_tokens) if position not in removed]

    def cut_mask(mask):
        return mask if mask is None else mask[:, :, kept][..., kept]

    def take_out(_, args):
        return args[0][:, kept], *args[1:]

    def cut(_, args):
        return args[0], cut_mask(args[1])

    def put_back(_, args, out):
        """Rows of zeros where the words were, so that stock pooling finds its row."""
        full = out.new_zeros(len(out), n_tokens, out.shape[-1])
        full[:, kept] = out
        return full

    handles = [layers[0].register_forward_pre_hook(take_out)]
    handles += [layer.register_forward_pre_hook(cut) for layer in layers]
    if direction == "image_to_text":
        handles.append(layers[-1].register_forward_hook(put_back))
    with hooked(*handles):
        return stock_similarity(model, pixels, ids)


def count_tokens(model, ids, direction):
    if direction == "image_to_text":
        return len(ids)
    return len(content(model, ids, direction)) + is_clip(model)


def first_input(model, pixels, ids, direction):
    """The hidden states (1, n, width) that enter the first block."""
    return forward(model, pixels, ids, direction)[1][0].x.detach()


def similarity_from(model, pixels, ids, direction, hidden):
    """s (batch,) when `hidden` (batch, n, width) enters the first block of the explained tower."""
    n = len(hidden)
    pixels = pixels.expand(n if direction == "text_to_image" else 1, *pixels.shape)
    ids = ids.expand(n if direction == "image_to_text" else 1, *ids.shape)
    handle = blocks(model, direction)[0].register_forward_pre_hook(
        lambda _, args: (hidden, *args[1:])
    )
    with hooked(handle):
        return model(input_ids=ids, pixel_values=pixels).logits_per_image.flatten()
