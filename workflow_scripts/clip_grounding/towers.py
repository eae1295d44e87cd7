"""CLIP's two towers, opened up: run to the last blocks without autograd, then row by row.

Only the pooled row of the last block (CLS in the image tower, the first end-of-text
token in the text tower) reaches CLIP's output. `Tower.open_last_block` computes just
that row, and `LastBlock.embed` carries it to the embedding, so attributions can
differentiate a tail that costs next to nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own idiom)
from torch import Tensor, nn

from clip_grounding.errors import InputError

PROBE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Tower:
    """One tower of a CLIP model.

    Attributes
    ----------
    embed : callable
        Inputs (pixels or token ids) to the first block's input, (n, n_tokens, width).
    layers : ModuleList
        The transformer blocks.
    norm : LayerNorm
        The norm after the last block.
    projection : Linear
        To the shared embedding space.
    causal : bool
        Whether a token sees only those before it.
    precision : torch.dtype
        The arithmetic of `run`. What comes after it, gradients among it, is in float32:
        attention times its gradient underflows in half precision.
    """

    embed: Callable[[Tensor], Tensor]
    layers: nn.ModuleList
    norm: nn.LayerNorm
    projection: nn.Linear
    causal: bool
    precision: torch.dtype = torch.float32

    @torch.no_grad()
    def run(self, inputs: Tensor, depth: int) -> Tensor:
        """Run `inputs` through the first `depth` blocks; gives (n, n_tokens, width)."""
        is_half = self.precision is not torch.float32
        with torch.autocast(inputs.device.type, self.precision, enabled=is_half):
            hidden = self.embed(inputs)
            for layer in self.layers[:depth]:
                queries, keys, values = project_heads(layer, hidden)
                context = F.scaled_dot_product_attention(
                    queries, keys, values, is_causal=self.causal
                )
                hidden = finish_block(layer, hidden, context.transpose(1, 2))
        return hidden.float() if is_half else hidden

    def open_last_block(self, hidden: Tensor, rows: Tensor) -> "LastBlock":
        """Compute the last block for one row per item.

        Parameters
        ----------
        hidden : Tensor, shape (n, n_tokens, width)
            The last block's input.
        rows : Tensor of int64, shape (n,)
            The pooled row of each item.
        """
        layer = self.layers[-1]
        attention = layer.self_attn
        items = torch.arange(len(hidden), device=hidden.device)
        normed = layer.layer_norm1(hidden)
        keys = split_heads(attention.k_proj(normed), attention)
        values = split_heads(attention.v_proj(normed), attention)
        query = attention.q_proj(normed[items, rows]).unflatten(-1, (attention.num_heads, -1))
        logits = torch.einsum("nhd,nhtd->nht", query, keys) * attention.scale
        if self.causal:
            after = torch.arange(hidden.shape[1], device=hidden.device) > rows[:, None]
            logits = logits.masked_fill(after[:, None], -torch.inf)
        weights = logits.softmax(-1)
        context = torch.einsum("nht,nhtd->nhd", weights, values)
        return LastBlock(self, hidden[items, rows], weights, values, context)


@dataclass(frozen=True)
class LastBlock:
    """The last block of a tower at the pooled row of each item.

    Attributes
    ----------
    residual : Tensor, shape (n, width)
        The block's input at the pooled row.
    attention : Tensor, shape (n, n_heads, n_tokens)
        Post-softmax attention of the pooled row.
    values : Tensor, shape (n, n_heads, n_tokens, head_width)
    context : Tensor, shape (n, n_heads, head_width)
        The heads' outputs, before the output projection.
    """

    tower: Tower
    residual: Tensor
    attention: Tensor
    values: Tensor
    context: Tensor

    def embed(self, context: Tensor, items: Tensor) -> Tensor:
        """Carry heads' outputs to unit embeddings, (n_pairs, width).

        Parameters
        ----------
        context : Tensor, shape (n_pairs, n_heads, head_width)
        items : Tensor of int64, shape (n_pairs,)
            Which item each pair belongs to.
        """
        hidden = finish_block(self.tower.layers[-1], self.residual[items], context)
        return F.normalize(self.tower.projection(self.tower.norm(hidden)), dim=-1)

    def embeddings(self) -> Tensor:
        """Unit embeddings of the items, (n, width)."""
        items = torch.arange(len(self.residual), device=self.residual.device)
        return self.embed(self.context, items)


def split_heads(projected: Tensor, attention: nn.Module) -> Tensor:
    """Reshape (n, n_tokens, width) to (n, n_heads, n_tokens, head_width)."""
    return projected.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)


def project_heads(layer: nn.Module, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of a block, each (n, n_heads, n_tokens, head_width)."""
    attention = layer.self_attn
    normed = layer.layer_norm1(hidden)
    return tuple(
        split_heads(projection(normed), attention)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )


def finish_block(layer: nn.Module, residual: Tensor, context: Tensor) -> Tensor:
    """Everything of a block after its attention; `context` is (..., n_heads, head_width)."""
    hidden = residual + layer.self_attn.out_proj(context.flatten(-2))
    return hidden + layer.mlp(layer.layer_norm2(hidden))


@dataclass(frozen=True)
class Clip:
    """A CLIP model as two towers and a temperature.

    Attributes
    ----------
    image, text : Tower
    logit_scale : float
        exp of the checkpoint's ``logit_scale``.
    grid : tuple of int
        Rows and columns of the image tower's patches.
    end_of_text : int
        The id whose first position is the text tower's pooled row.
    device : torch.device
    """

    image: Tower
    text: Tower
    logit_scale: float
    grid: tuple[int, int]
    end_of_text: int
    device: torch.device

    def pooled_rows(self, inputs: Tensor) -> Tensor:
        """Row of each item that its tower pools: CLS, or the first end-of-text token."""
        if inputs.ndim == 4:
            return torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
        return (inputs == self.end_of_text).int().argmax(-1)

    @torch.no_grad()
    def embed(self, tower: Tower, inputs: Tensor) -> Tensor:
        """Unit embeddings (n, width) of pixels (n, 3, size, size) or token ids (n, n_tokens)."""
        hidden = tower.run(inputs, len(tower.layers) - 1)
        return tower.open_last_block(hidden, self.pooled_rows(inputs)).embeddings()


def load_clip(folder: str | Path, device: torch.device, precision: str = "float32") -> Clip:
    """Load a CLIP checkpoint in the transformers layout from a local folder.

    `precision` is the arithmetic of the towers up to the last blocks, see `Tower`. Weights are
    read as safetensors or, where there are none, with torch's ``weights_only`` unpickler; no
    code of the checkpoint is run.

    Raises
    ------
    InputError
        The folder holds no CLIP model, or one whose towers are built in another way than
        this library opens them; or half precision is asked for without a GPU.
    """
    if precision != "float32" and device.type == "cpu":
        raise InputError(f"precision: {precision} is for GPUs, and this job has none: use float32")
    from transformers import AutoConfig, CLIPModel

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type != "clip":
            raise InputError(
                f"{folder}: a {config.model_type} model; CLIP checkpoints are supported"
            )
        model = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no loadable CLIP checkpoint: {error}") from error
    model = model.to(device).eval().requires_grad_(False)
    clip = split_towers(model)
    _compare_with_stock(clip, model, folder)
    return with_precision(clip, getattr(torch, precision))


def with_precision(clip: Clip, precision: torch.dtype) -> Clip:
    """Give the same model with its towers run in another precision up to the last blocks."""
    towers = {name: getattr(clip, name) for name in ("image", "text")}
    return replace(
        clip, **{name: replace(tower, precision=precision) for name, tower in towers.items()}
    )


def split_towers(model: nn.Module) -> Clip:
    """Open a transformers `CLIPModel` as a `Clip`."""
    vision, text = model.vision_model, model.text_model
    patches = vision.config.image_size // vision.config.patch_size
    end_of_text = text.config.eos_token_id
    if end_of_text == 2:  # configs from before the id was corrected: the end is the highest id
        end_of_text = text.config.vocab_size - 1
    return Clip(
        image=Tower(
            lambda pixels: vision.pre_layrnorm(vision.embeddings(pixels)),
            vision.encoder.layers,
            vision.post_layernorm,
            model.visual_projection,
            causal=False,
        ),
        text=Tower(
            text.embeddings,
            text.encoder.layers,
            text.final_layer_norm,
            model.text_projection,
            causal=True,
        ),
        logit_scale=model.logit_scale.exp().item(),
        grid=(patches, patches),
        end_of_text=end_of_text,
        device=model.logit_scale.device,
    )


@torch.no_grad()
def _compare_with_stock(clip: Clip, model: nn.Module, folder: str | Path) -> None:
    """Refuse a model whose embeddings differ from those of its own forward pass."""
    generator = torch.Generator().manual_seed(0)
    size = model.config.vision_config.image_size
    pixels = torch.randn(2, 3, size, size, generator=generator).to(clip.device)
    ids = torch.randint(0, clip.end_of_text, (2, 8), generator=generator).to(clip.device)
    ids[0, 5], ids[1, -1] = clip.end_of_text, clip.end_of_text
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
