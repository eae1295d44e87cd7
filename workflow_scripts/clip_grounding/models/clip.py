"""Open the checkpoints of CLIP, OpenCLIP, LAION, MetaCLIP and DFN (``CLIPModel``).

The image tower pools CLS in its last block, the causal text tower its first end-of-text token.
torch is imported only to open one: jobs that score maps have none.
"""

import string
from pathlib import Path

from clip_grounding.models.family import Family, TextRules

CLIP = Family(
    model_types=("clip", "metaclip_2"),
    defaults={
        "image_size": 224,
        "patch_size": 32,
        "num_hidden_layers": 12,
        "max_position_embeddings": 77,
    },
    pooling_layers=0,
    image_processor="CLIPImageProcessorPil",
    is_merged=True,
    has_ids=True,
    hub_word="",
)


def prepare_clip(tokenizer, folder: Path) -> TextRules:
    """Return the rules of CLIP's tokenizer, which reads texts as it is.

    It puts a text between two special tokens, and pads to the longest text of a batch with the
    end-of-text that the causal mask hides.
    """
    return TextRules(n_before=1, padding=None, is_padded=False, unread=string.whitespace)


def open_clip(model, end_of_text: int, padding: int):
    """Open a transformers ``CLIPModel``, or another model with the same architecture.

    Parameters
    ----------
    model : CLIPModel or MetaClip2Model
    end_of_text, padding : int
        Ids of the tokenizer's special tokens; they are equal.

    Returns
    -------
    Clip
    """
    import torch
    from torch import Tensor

    from clip_grounding.models.pools import BlockPool
    from clip_grounding.models.towers import Clip, Tower

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
