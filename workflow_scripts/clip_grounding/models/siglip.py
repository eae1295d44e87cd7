"""Open the checkpoints of SigLIP, and of SigLIP 2 at a fixed resolution (``SiglipModel``).

The image tower has no CLS: a learned probe pools the patches. The text tower is bidirectional,
reads texts padded to the context length, and pools their last position.
"""

import torch
from torch import Tensor, nn

from clip_grounding.models.pools import BlockPool, HeadPool
from clip_grounding.models.towers import Clip, Tower


def open_siglip(model: nn.Module, end_of_text: int, padding: int) -> Clip:
    """Open a transformers ``SiglipModel``.

    Parameters
    ----------
    model : SiglipModel
    end_of_text, padding : int
        Ids of the tokenizer's two special tokens; they may be equal.
    """
    vision, text = model.vision_model, model.text_model
    side = vision.config.image_size // vision.config.patch_size

    def image_rows(pixels: Tensor) -> Tensor:
        return torch.zeros(len(pixels), dtype=torch.int64, device=pixels.device)

    def image_content(pixels: Tensor) -> Tensor:
        return torch.ones(len(pixels), side**2, dtype=torch.bool, device=pixels.device)

    def text_rows(ids: Tensor) -> Tensor:
        return torch.full((len(ids),), ids.shape[1] - 1, device=ids.device)

    def text_content(ids: Tensor) -> Tensor:
        ended = (ids == end_of_text).cummax(-1).values
        return ~ended

    return Clip(
        image=Tower(
            embed=vision.embeddings,
            blocks=tuple(vision.encoder.layers),
            pool=HeadPool(vision.post_layernorm, vision.head),
            causal=False,
            pooled_rows=image_rows,
            content=image_content,
            blank=torch.zeros_like,
        ),
        text=Tower(
            embed=text.embeddings,
            blocks=tuple(text.encoder.layers[:-1]),
            pool=BlockPool(text.encoder.layers[-1], text.final_layer_norm, text.head, causal=False),
            causal=False,
            pooled_rows=text_rows,
            content=text_content,
            blank=lambda ids: ids.masked_fill(text_content(ids), padding),
        ),
        logit_scale=model.logit_scale.exp().item(),
        logit_bias=model.logit_bias.item(),
        grid=(side, side),
        image_size=vision.config.image_size,
        patch_size=vision.config.patch_size,
        device=model.logit_scale.device,
    )
