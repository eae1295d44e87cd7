"""What a checkpoint's ``config.json`` says of its model, without importing torch."""

import json
from dataclasses import dataclass
from pathlib import Path

from clip_grounding.errors import InputError

FAMILIES = {"clip": "clip", "metaclip_2": "clip", "siglip": "siglip"}
"""``model_type`` of a checkpoint to the adapter that opens it, `clip_grounding.models.<family>`."""

_HINTS = {
    "siglip2": "; of SigLIP 2 the checkpoints of one fixed resolution, whose type is siglip",
    **dict.fromkeys(
        ("clip_vision_model", "clip_text_model", "siglip_vision_model", "siglip_text_model"),
        "; both towers are needed",
    ),
}

# Checkpoints leave out what is transformers' default: SigLIP's configs are nearly empty.
_DEFAULTS = {
    "clip": {
        "image_size": 224,
        "patch_size": 32,
        "num_hidden_layers": 12,
        "max_position_embeddings": 77,
    },
    "siglip": {
        "image_size": 224,
        "patch_size": 16,
        "num_hidden_layers": 12,
        "max_position_embeddings": 64,
    },
}


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model.

    Attributes
    ----------
    model_type : str
        As in ``config.json``.
    family : {"clip", "siglip"}
    image_size, patch_size : int
        Pixels of a side.
    context_length : int
        Tokens of the longest text, specials included.
    image_layers, text_layers : int
        Attention layers: the blocks, and in the image tower of SigLIP the pooling head.
    """

    model_type: str
    family: str
    image_size: int
    patch_size: int
    context_length: int
    image_layers: int
    text_layers: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        side = self.image_size // self.patch_size
        return side, side

    def layers(self, direction: str) -> int:
        """Attention layers of the tower that a direction explains."""
        return self.image_layers if direction == "text_to_image" else self.text_layers


def read_model_config(folder: str | Path) -> ModelConfig:
    """Read the ``config.json`` of a checkpoint folder.

    Raises
    ------
    InputError
        It is missing or damaged, or of a model that no adapter opens.
    """
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        model_type = config["model_type"]
        towers = {f"{name}_config": _tower(config, name) for name in ("vision", "text")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no readable config.json of a checkpoint ({error!r}): fetch it again, or"
            " correct `checkpoint` in the config"
        ) from error
    family = FAMILIES.get(model_type)
    if family is None:
        raise InputError(
            f"{path}: a {model_type} model (model_type) is not supported (supported:"
            f" {', '.join(FAMILIES)}{_HINTS.get(model_type, '')}): give another `checkpoint`"
        )
    if not towers["vision_config"].get("vision_use_head", True):
        raise InputError(
            f"{path}: vision_config.vision_use_head is false: without its pooling head a SigLIP"
            " has no image embedding; give a `checkpoint` that has the head"
        )

    def size(tower: str, key: str) -> int:
        value = towers[tower].get(key, _DEFAULTS[family][key])
        if type(value) is not int or value < 1:
            raise InputError(
                f"{path}: {tower}.{key} is {json.dumps(value)}, not a whole number: patches and"
                " images of another shape than a square are not supported; give another"
                " `checkpoint`, or one number where both of a list are the same"
            )
        return value

    return ModelConfig(
        model_type,
        family,
        image_size=size("vision_config", "image_size"),
        patch_size=size("vision_config", "patch_size"),
        context_length=size("text_config", "max_position_embeddings"),
        image_layers=size("vision_config", "num_hidden_layers") + (family == "siglip"),
        text_layers=size("text_config", "num_hidden_layers"),
    )


def _tower(config: dict, name: str) -> dict:
    """Give a tower's settings: OpenAI's configs have them twice, and the ``_dict`` decides."""
    if config.get(f"{name}_config_dict") is not None:
        return dict(config[f"{name}_config_dict"])
    return dict(config.get(f"{name}_config") or {})
