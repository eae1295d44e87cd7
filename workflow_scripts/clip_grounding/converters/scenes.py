"""Scenes that the workflow renders, see `clip_grounding.scenes`."""

from pathlib import Path

from clip_grounding.scenes import archive

CONTRACT = {
    "summary": "drawings rendered by the workflow",
    "parameters": {
        "split": {
            "description": "The name that takes the place of COCO's split in the rendered files.",
            "const": "scenes",
            "default": "scenes",
        },
        "image_count": {
            "description": "Scenes to render.",
            "type": "integer",
            "minimum": 1,
            "maximum": 10000000,
            "default": 300,
        },
        "seed": {
            "description": "Another seed gives other scenes.",
            "$ref": "#/$defs/seed",
            "default": 0,
        },
    },
}


def write_dataset(
    images: Path, panoptic: Path, narratives: Path, image_count: int, seed: int, split: str
) -> None:
    """Render scenes of the evaluation side, see `archive.write_dataset`."""
    archive.write_dataset(images, panoptic, narratives, image_count, seed, split)
