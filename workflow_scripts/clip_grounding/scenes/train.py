"""Train the small CLIP of the embedded dataset, on scenes that are never evaluated.

It learns within minutes on two cores, and what it looks at can be checked against what was drawn.
"""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's idiom)
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

from clip_grounding.geometry import pad_to_square
from clip_grounding.models.folders import finish_part, start_part
from clip_grounding.scenes.pairs import Batch, draw_batch, draw_examples
from clip_grounding.scenes.tokenizer import (
    CONTEXT_LENGTH,
    END,
    PAD,
    START,
    build_tokenizer,
    save_tokenizer,
)

IMAGE_SIZE = 64

_Item = TypeVar("_Item")

_PATCH = 8
_WIDTH = 96
_HEADS = 4
_IMAGE_LAYERS, _TEXT_LAYERS = 3, 2
_MEAN, _STD = 0.5, 0.25
_WARM_UP = 0.1
_WEIGHT_DECAY = 0.05
_BETAS = (0.9, 0.98)
_GRADIENT_NORM = 1.0
_LARGEST_LOGIT_SCALE = math.log(100)  # as CLIP was trained


def train_checkpoint(
    folder: str | Path,
    image_count: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    threads: int,
) -> None:
    """Train a small CLIP and save it in the transformers layout.

    Parameters
    ----------
    folder : str or Path
        Where the checkpoint goes; its ``manifest.json`` is written last. A folder that the
        workflow made is replaced.
    image_count : int
        Training scenes to render.
    steps : int
        Optimiser steps.
    batch_size : int
        Image-text pairs per step.
    learning_rate : float
        The highest rate of the schedule: linear warm-up, then cosine decay to 0.
    seed : int
        Fixes scenes, initial weights and batches. The weights are reproducible on one machine
        with the same number of threads.
    threads : int
        CPU threads.

    Raises
    ------
    InputError
        `folder` holds files that the workflow did not write.
    """
    folder = Path(folder).absolute()
    settings = {
        "image_count": image_count,
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    origin = f"trained on scenes: {json.dumps(settings, sort_keys=True)}"
    part = start_part(folder, origin)
    examples = draw_examples(image_count, seed)
    tokenizer = build_tokenizer(
        " ".join(piece.utterance for piece in example.pieces) for example in examples
    )
    torch.set_num_threads(threads)
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build_model(tokenizer)
            rng = np.random.default_rng(seed)
            batches = (draw_batch(examples, batch_size, rng) for _ in range(steps))
            _fit(model, tokenizer, batches, steps, learning_rate)
    finally:
        torch.use_deterministic_algorithms(deterministic)
    _save(model, tokenizer, part)
    finish_part(folder, origin, revision=None)


def build_model(tokenizer: Tokenizer) -> CLIPModel:
    """Build the model for a tokenizer's vocabulary, initialised from torch's random numbers."""
    tower = {
        "hidden_size": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_attention_heads": _HEADS,
        "projection_dim": _WIDTH,
    }
    text = {
        **tower,
        "num_hidden_layers": _TEXT_LAYERS,
        "vocab_size": tokenizer.get_vocab_size(),
        "max_position_embeddings": CONTEXT_LENGTH,
        "bos_token_id": tokenizer.token_to_id(START),
        "eos_token_id": tokenizer.token_to_id(END),
        "pad_token_id": tokenizer.token_to_id(PAD),
    }
    vision = {
        **tower,
        "num_hidden_layers": _IMAGE_LAYERS,
        "image_size": IMAGE_SIZE,
        "patch_size": _PATCH,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=_WIDTH))


def prepare_image(pixels: np.ndarray) -> np.ndarray:
    """Prepare an image: pad, resize and normalise as the checkpoint's processor does, but faster.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Height and width differ by an even number, so that padding makes it square.

    Returns
    -------
    ndarray of float32, shape (3, 64, 64)
    """
    image = Image.fromarray(pad_to_square(pixels))
    resized = image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
    return (np.asarray(resized, np.float32).transpose(2, 0, 1) / 255 - _MEAN) / _STD


def contrastive_loss(logits: Tensor, ambiguous: Tensor) -> Tensor:
    """Compute CLIP's symmetric cross-entropy, leaving out ambiguous negatives.

    Parameters
    ----------
    logits : Tensor, shape (n, n)
        Scaled similarity of each image and text; pairs are on the diagonal.
    ambiguous : Tensor of bool, shape (n, n)
        Entries to leave out.
    """
    logits = logits.masked_fill(ambiguous, -torch.inf)
    pairs = torch.arange(len(logits))
    return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2


def _fit(model: CLIPModel, tokenizer: Tokenizer, batches, steps: int, learning_rate: float) -> None:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=_BETAS, weight_decay=_WEIGHT_DECAY
    )
    warm_up = max(1, round(_WARM_UP * steps))

    def schedule(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))) / 2

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(PAD), pad_token=PAD)
    tokenizer.enable_truncation(CONTEXT_LENGTH)
    model.train()
    inputs = _work_ahead(_prepare_batch(tokenizer, batch) for batch in batches)
    with tqdm(inputs, total=steps, desc="train", unit="step", mininterval=1) as progress:
        for pixels, ids, ambiguous in progress:
            output = model(input_ids=torch.tensor(ids), pixel_values=torch.from_numpy(pixels))
            loss = contrastive_loss(output.logits_per_image, torch.from_numpy(ambiguous))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_NORM)
            optimizer.step()
            scheduler.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=_LARGEST_LOGIT_SCALE)
            progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model.eval()


def _prepare_batch(
    tokenizer: Tokenizer, batch: Batch
) -> tuple[np.ndarray, list[list[int]], np.ndarray]:
    """Return a batch's pixels, token ids and ambiguous pairs."""
    pixels = np.stack([prepare_image(image) for image in batch.images])
    ids = [encoding.ids for encoding in tokenizer.encode_batch(batch.texts)]
    return pixels, ids, batch.ambiguous


def _work_ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield items, each of which is made in another thread while the one before it is used."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def _save(model: CLIPModel, tokenizer: Tokenizer, folder: Path) -> None:
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE},
        crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        resample=Image.Resampling.BICUBIC,
        image_mean=[_MEAN] * 3,
        image_std=[_STD] * 3,
    ).save_pretrained(folder)
