"""Checkpoint folders that tests make for themselves."""

import json
from pathlib import Path

from plain_attribution import random_clip

from clip_grounding.scenes.tokenizer import build_tokenizer, save_tokenizer


def save_checkpoint(folder: Path, texts, seed=0, image_size=32) -> Path:
    """Save a CLIP with random weights whose tokenizer knows the words of `texts`."""
    tokenizer = build_tokenizer(texts)
    model = random_clip(
        seed=seed, vocabulary=tokenizer.get_vocab_size(), image_size=image_size, context=77
    )
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": image_size},
        "crop_size": {"height": image_size, "width": image_size},
        "resample": 3,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder
