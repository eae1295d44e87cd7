"""Load a checkpoint folder with the adapter of its family, and prove that it fits.

Whatever an adapter assumes of a model, its embeddings of a probe input must be those of the
model's own forward pass.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from clip_grounding.errors import InputError
from clip_grounding.models.clip import open_clip
from clip_grounding.models.config import FAMILIES, read_model_config
from clip_grounding.models.siglip import open_siglip
from clip_grounding.models.towers import Clip, with_precision
from clip_grounding.tokens import TextTokenizer

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
        another way than its adapter opens them; or half precision is asked for without a GPU.
    """
    if precision != "float32" and device.type == "cpu":
        raise InputError(f"precision: {precision} is for GPUs, and this job has none: use float32")
    config = read_model_config(folder)
    from transformers import AutoModel

    try:
        model, report = AutoModel.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{folder}: no loadable checkpoint: {error}") from error
    if report["missing_keys"]:
        names = sorted(report["missing_keys"])
        raise InputError(
            f"{folder}: its weights lack {names[0]} and {len(names) - 1} more: a checkpoint of both"
            " towers is needed; fetch it again or correct `checkpoint`"
        )
    model = model.to(device).eval().requires_grad_(False)
    specials = ()
    if config.family == "siglip":
        tokenizer = TextTokenizer(folder)
        specials = tokenizer.end_of_text, tokenizer.padding
    clip = open_model(model, *specials)
    _compare_with_stock(clip, model, folder)
    return with_precision(clip, getattr(torch, precision))


def open_model(
    model: nn.Module, end_of_text: int | None = None, padding: int | None = None
) -> Clip:
    """Open a transformers model as a `Clip`, by the adapter of its family.

    Parameters
    ----------
    model : Module
    end_of_text, padding : int, optional
        Ids of the tokenizer's specials. SigLIP needs them, since its configs do not tell; its
        first version has one id for both, the config's ``pad_token_id``, the default here.
    """
    if FAMILIES[model.config.model_type] == "clip":
        return open_clip(model)
    config = model.config.text_config
    if end_of_text is None or padding is None:
        end_of_text = padding = config.pad_token_id
    return open_siglip(model, end_of_text, padding)


@torch.no_grad()
def _compare_with_stock(clip: Clip, model: nn.Module, folder: str | Path) -> None:
    """Refuse a model whose embeddings differ from those of its own forward pass."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, clip.image_size, clip.image_size, generator=generator)
    pixels, ids = pixels.to(clip.device), _probe_texts(model, generator).to(clip.device)
    stock = model(input_ids=ids, pixel_values=pixels)
    for name, ours, theirs in (
        ("image", clip.embed(clip.image, pixels), stock.image_embeds),
        ("text", clip.embed(clip.text, ids), stock.text_embeds),
    ):
        difference = (ours - theirs).abs().max().item()
        if not difference <= PROBE_TOLERANCE:
            raise InputError(
                f"{folder}: the {name} tower, run block by block, differs from the model's own "
                f"forward pass by {difference:.2g}: this architecture is not supported"
            )


def _probe_texts(model: nn.Module, generator: torch.Generator) -> Tensor:
    """Two texts of random ids: for CLIP they end at different places."""
    config = model.config.text_config
    if FAMILIES[model.config.model_type] != "clip":
        shape = 2, config.max_position_embeddings
        return torch.randint(0, config.vocab_size, shape, generator=generator)
    end = config.eos_token_id
    if end == 2 and model.config.model_type == "clip":
        end = config.vocab_size - 1
    ids = torch.randint(0, config.vocab_size - 1, (2, 8), generator=generator)
    ids[ids == end] = 0
    ids[0, 5], ids[1, -1] = end, end
    return ids
