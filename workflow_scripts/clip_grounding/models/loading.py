"""Load a checkpoint folder with the adapter of its family, and check that it fits.

Whatever an adapter assumes of a model and its tokenizer, the embeddings of a probe input must be
those of the model's own forward pass.
"""

from pathlib import Path

import torch
from torch import nn

from clip_grounding.errors import InputError
from clip_grounding.models.checks import (
    PROBE_TEXTS,
    check_tokenizer,
    check_weights,
    is_harmless,
    missing_message,
    stock_config,
    unused_message,
)
from clip_grounding.models.families import ADAPTERS, find_family
from clip_grounding.models.tokenizer import TextTokenizer
from clip_grounding.models.towers import Clip, with_precision

PROBE_TOLERANCE = 1e-4


def load_model(folder: str | Path, device: torch.device, precision: str = "float32") -> Clip:
    """Load a checkpoint in the transformers layout from a local folder.

    `precision` is the arithmetic of the towers up to the last attention, see `Tower`. Weights
    are read as safetensors or, where there are none, with torch's ``weights_only`` unpickler;
    no code of the checkpoint is run.

    Raises
    ------
    InputError
        The folder holds no model of a family of `FAMILIES`, or one whose towers are built in
        another way than its adapter opens them, or whose tokenizer is of another model; weights
        are missing, unreadable, or not used by the model; or half precision is asked for without
        a GPU.
    """
    if precision != "float32" and device.type == "cpu":
        raise InputError(f"precision: {precision} is for GPUs, and this job has none: use float32")
    config = stock_config(folder)
    from transformers import AutoModel

    try:
        # The attention that config.json may name is not always available, and never used.
        model, report = AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            dtype=torch.float32,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except Exception as error:  # torch, transformers and safetensors have no common class
        check_weights(Path(folder))  # names the fault and the file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{folder}: not a loadable checkpoint ({reason}): fetch it again, or give another"
            " `checkpoint`"
        ) from error
    if report["missing_keys"]:
        raise InputError(missing_message(folder, sorted(report["missing_keys"])))
    if unused := [name for name in report["unexpected_keys"] if not is_harmless(name)]:
        raise InputError(unused_message(folder, unused))
    model = model.to(device).eval().requires_grad_(False)
    tokenizer = TextTokenizer(folder)
    check_tokenizer(folder, config.text_config)
    clip = open_model(model, tokenizer.end_of_text, tokenizer.padding)
    _compare_with_stock(clip, model, tokenizer, folder)
    return with_precision(clip, getattr(torch, precision))


def load_stock(folder: str | Path, device: torch.device) -> nn.Module:
    """Load the transformers model of a folder that `load_model` accepts, to change its weights."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(
        folder,
        config=stock_config(folder),
        local_files_only=True,
        dtype=torch.float32,
        attn_implementation="sdpa",
    )
    return model.to(device).eval().requires_grad_(False)


def open_model(
    model: nn.Module, end_of_text: int | None = None, padding: int | None = None
) -> Clip:
    """Open a transformers model as a `Clip`, by the adapter of its family.

    Parameters
    ----------
    model : Module
    end_of_text, padding : int, optional
        Ids of the tokenizer's specials. Without them they are those of the model's config, which
        only models made for tests have right: CLIP's old ones say 2, SigLIP's nothing.
    """
    config = model.config.text_config
    if end_of_text is None:
        end_of_text, padding = config.eos_token_id, config.pad_token_id
    return ADAPTERS[find_family(model.config.model_type)](model, end_of_text, padding)


@torch.no_grad()
def _compare_with_stock(
    clip: Clip, model: nn.Module, tokenizer: TextTokenizer, folder: str | Path
) -> None:
    """Refuse a model whose embeddings differ from those of its stock forward pass."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, clip.image_size, clip.image_size, generator=generator)
    pixels = pixels.to(clip.device)
    ids = tokenizer.pad([tokenizer(text).ids for text in PROBE_TEXTS])
    ids = torch.from_numpy(ids).to(clip.device)
    stock = model(input_ids=ids, pixel_values=pixels)
    for name, ours, theirs in (
        ("image", clip.embed(clip.image, pixels), stock.image_embeds),
        ("text", clip.embed(clip.text, ids), stock.text_embeds),
    ):
        difference = (ours - theirs).abs().max().item()
        if not theirs.isfinite().all():
            raise InputError(
                f"{folder}: the {name} tower makes embeddings that are NaN or infinite: its weights"
                " are damaged or too large; fetch it again, or give another `checkpoint`"
            )
        if not difference <= PROBE_TOLERANCE:
            raise InputError(
                f"{folder}: the {name} tower, run block by block, differs from the model's own "
                f"forward pass by {difference:.2g}: this architecture is not supported; give"
                " another `checkpoint`"
            )
