"""Open the checkpoints of CLIP, OpenCLIP, LAION, MetaCLIP and DFN (``CLIPModel``).

The image tower pools CLS in its last block, the causal text tower its first end-of-text token.
"""

import torch
from torch import Tensor, nn

from clip_grounding.models.pools import BlockPool
from clip_grounding.models.towers import Clip, Tower


def open_clip(model: nn.Module, end_of_text: int) -> Clip:
    """Open a transformers ``CLIPModel``, or another model with the same architecture.

    Parameters
    ----------
    model : CLIPModel or MetaClip2Model
    end_of_text : int
        Id of the tokenizer's end-of-text token.
    """
    vision, text = model.vision_model, model.text_model
    side = vision.config.image_size // vision.config.patch_size

    def image_rows(pixels: Tensor) -> Tensor:
        return torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)

    def image_content(pixels: Tensor) -> Tensor:
        content = torch.ones(len(pixels), 1 + side**2, dtype=torch.bool, device=pixels.device)
        content[:, 0] = False
        return content

    def text_rows(ids: Tensor) -> Tensor:
        return (ids == end_of_text).int().argmax(-1)

    def text_content(ids: Tensor) -> Tensor:
        positions = torch.arange(ids.shape[1], device=ids.device)
        return (positions > 0) & (positions < text_rows(ids)[:, None])

    return Clip(
        image=Tower(
            embed=lambda pixels: vision.pre_layrnorm(vision.embeddings(pixels)),
            blocks=tuple(vision.encoder.layers[:-1]),
            pool=BlockPool(
                vision.encoder.layers[-1],
                vision.post_layernorm,
                model.visual_projection,
                causal=False,
            ),
            causal=False,
            pooled_rows=image_rows,
            content=image_content,
            blank=torch.zeros_like,
        ),
        text=Tower(
            embed=text.embeddings,
            blocks=tuple(text.encoder.layers[:-1]),
            pool=BlockPool(
                text.encoder.layers[-1], text.final_layer_norm, model.text_projection, causal=True
            ),
            causal=True,
            pooled_rows=text_rows,
            content=text_content,
            blank=lambda ids: ids.masked_fill(text_content(ids), end_of_text),
        ),
        logit_scale=model.logit_scale.exp().item(),
        logit_bias=0.0,
        grid=(side, side),
        image_size=vision.config.image_size,
        patch_size=vision.config.patch_size,
        device=model.logit_scale.device,
    )
