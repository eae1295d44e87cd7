"""Open the checkpoints of SigLIP, and of SigLIP 2 at a fixed resolution (``SiglipModel``).

The image tower has no CLS: a learned probe pools the patches. The text tower is bidirectional,
reads texts padded to the context length, and pools their last position. torch is imported only to
open one: jobs that score maps have none.
"""

import json
import string
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.models.family import Family, TextRules

SIGLIP = Family(
    model_types=("siglip",),
    defaults={
        "image_size": 224,
        "patch_size": 16,
        "num_hidden_layers": 12,
        "max_position_embeddings": 64,
    },
    pooling_layers=1,
    image_processor="SiglipImageProcessorPil",
    is_merged=False,
    has_ids=False,
    hub_word="siglip",
)


def prepare_siglip(tokenizer, folder: Path) -> TextRules:
    """Make a tokenizer read texts as in SigLIP's training.

    SigLIP lower-cases, and its first version drops punctuation. transformers does both in code,
    which ``tokenizer.json`` need not repeat. It appends one special token, and always pads to the
    context length.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Is changed.
    folder : Path
        Holds ``tokenizer_config.json``.

    Raises
    ------
    InputError
        The file is missing or not that of a SigLIP tokenizer.
    """
    from tokenizers import Regex, normalizers, processors

    path = folder / "tokenizer_config.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        end, padding = (_content(settings[f"{name}_token"]) for name in ("eos", "pad"))
        if settings.get("padding_side", "right") != "right":
            raise ValueError("padding_side is left, but SigLIP is trained with padding behind")
        ids = [tokenizer.token_to_id(token) for token in (end, padding)]
        if None in ids:
            raise ValueError(f"tokenizer.json has no {end} or no {padding}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not the settings of a SigLIP tokenizer, with eos_token, pad_token and"
            f" padding_side: right ({error!r}): fetch the checkpoint again, or correct the file"
        ) from error
    steps: list = [normalizers.Lowercase()]
    unread = string.whitespace
    if settings.get("tokenizer_class", "").startswith("SiglipTokenizer"):
        unread += string.punctuation
        punctuation = "".join(f"\\{character}" for character in string.punctuation)
        steps += [
            normalizers.Replace(Regex(f"[{punctuation}]"), ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    if tokenizer.normalizer is not None:
        steps.append(tokenizer.normalizer)
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B {end}", special_tokens=[(end, ids[0])]
    )
    return TextRules(n_before=0, padding=ids[1], is_padded=True, unread=unread)


def _content(token: str | dict) -> str:
    """Return a special token's text, which transformers writes bare or with its options."""
    return token["content"] if isinstance(token, dict) else token


def open_siglip(model, end_of_text: int, padding: int):
    """Open a transformers ``SiglipModel``.

    Parameters
    ----------
    model : SiglipModel
    end_of_text, padding : int
        Ids of the tokenizer's two special tokens; they may be equal.

    Returns
    -------
    Clip
    """
    import torch
    from torch import Tensor

    from clip_grounding.models.pools import BlockPool, HeadPool
    from clip_grounding.models.towers import Clip, Tower

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
