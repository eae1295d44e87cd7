"""A shard of photograph-sized images with phrases, and a full-size CLIP with random weights."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from transformers import CLIPConfig, CLIPModel

from clip_grounding.scenes.tokenizer import build_tokenizer, save_tokenizer

HEIGHT, WIDTH = 480, 640
PHRASES, REGIONS = 9, 7  # per image, as in val2017: some phrases share a region
KINDS = ["a", "the", "two", "some", "red", "small", "tall", "old"]
THINGS = [
    *("person", "man", "woman", "dog", "cat", "car", "bus", "tree", "table", "chair", "sky"),
    *("grass", "road", "building", "window", "wall", "cup", "boat", "horse", "bench", "bird"),
]
NOUNS = [f"{kind} {thing}" for kind in KINDS for thing in THINGS]
FILLER = ["in", "this", "image", "we", "can", "see", "and", "on", "near", "with", "there", "is"]


@dataclass(frozen=True)
class Shard:
    """Tables of a shard, and the zip of its images."""

    narratives: pd.DataFrame
    phrases: pd.DataFrame
    masks: pd.DataFrame
    images: Path


def make_photograph(random: np.random.Generator) -> bytes:
    """A JPEG with the look of a photograph to a decoder: soft shapes, edges and sensor noise."""
    soft = random.uniform(0, 255, (8, 10, 3)).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(soft).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    pixels = pixels.astype(np.int16)
    for _ in range(25):
        y, x = random.integers(HEIGHT), random.integers(WIDTH)
        height, width = random.integers(10, 160, 2)
        pixels[y : y + height, x : x + width] += random.integers(-80, 80, 3, dtype=np.int16)
    pixels += random.normal(0, 6, pixels.shape).astype(np.int16)
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def make_regions(random: np.random.Generator) -> tuple[np.ndarray, list[bytes]]:
    """A partition of an image into regions: each pixel's label, and their run lengths."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    centers = random.uniform(0, [HEIGHT, WIDTH], size=(REGIONS, 2))
    labels = np.argmin([np.hypot(rows - y, columns - x) for y, x in centers], axis=0)
    encoded = [coco_mask.encode(np.asfortranarray(labels == n, np.uint8)) for n in range(REGIONS)]
    return labels, [code["counts"] for code in encoded]


def make_shard(folder: Path, n_images: int, distinct: int = 16) -> Shard:
    """Write a shard; only `distinct` pictures are drawn, under as many names as needed."""
    random = np.random.default_rng(0)
    pictures = [make_photograph(random) for _ in range(min(distinct, n_images))]
    regions = [make_regions(random)[1] for _ in pictures]
    path = folder / f"{n_images}.zip"
    weights = 1 / np.arange(1, len(NOUNS) + 1)  # few words are frequent, as in language
    narratives, phrases, masks = [], [], []
    with zipfile.ZipFile(path, "w") as archive:
        for image in range(n_images):
            file_name = f"{image:012d}.jpg"
            archive.writestr(f"val2017/{file_name}", pictures[image % len(pictures)])
            pieces = []
            for phrase in range(PHRASES):
                utterance = str(random.choice(NOUNS, p=weights / weights.sum()))
                pieces += [str(random.choice(FILLER)), utterance]
                phrases.append((image, phrase, image, image, utterance, phrase % REGIONS))
            narratives.append((image, image, image, file_name, HEIGHT, WIDTH, " ".join(pieces)))
            for mask, counts in enumerate(regions[image % len(pictures)]):
                masks.append((image, mask, HEIGHT, WIDTH, counts))
    columns = ["narrative", "image_id", "image_rank", "file_name", "height", "width", "text"]
    return Shard(
        pd.DataFrame(narratives, columns=columns),
        pd.DataFrame(
            phrases, columns=["narrative", "phrase", "image_id", "image_rank", "utterance", "mask"]
        ),
        pd.DataFrame(masks, columns=["image_id", "mask", "height", "width", "counts"]),
        path,
    )


def save_clip(folder: Path) -> Path:
    """Save a ViT-B/32 CLIP with random weights."""
    tokenizer = build_tokenizer([" ".join([*NOUNS, *FILLER])])
    torch.manual_seed(0)
    config = CLIPConfig(projection_dim=512)
    ids = tokenizer.get_vocab_size()
    config.text_config.eos_token_id = ids - 1
    config.text_config.bos_token_id = ids - 2
    CLIPModel(config).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder
