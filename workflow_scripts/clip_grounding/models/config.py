"""What a checkpoint's ``config.json`` says of its model, without importing torch."""

import json
from dataclasses import dataclass
from pathlib import Path

from clip_grounding.errors import InputError

FAMILIES = {"clip": "clip", "metaclip_2": "clip", "siglip": "siglip"}
"""``model_type`` of a checkpoint to the adapter that opens it, `clip_grounding.models.<family>`."""

# Checkpoints leave out what is transformers' default: SigLIP's configs are nearly empty.
_DEFAULTS = {
    "clip": {"image_size": 224, "patch_size": 32, "context_length": 77},
    "siglip": {"image_size": 224, "patch_size": 16, "context_length": 64},
}
_LAYERS = 12


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
        vision, text = (config.get(f"{name}_config") or {} for name in ("vision", "text"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: no readable config.json of a checkpoint ({error!r}): fetch it again, or"
            " correct `checkpoint` in the config"
        ) from error
    family = FAMILIES.get(model_type)
    if family is None:
        hint = ""
        if model_type == "siglip2":
            hint = "; of SigLIP 2 the checkpoints of one fixed resolution are, whose type is siglip"
        supported = ", ".join(FAMILIES)
        raise InputError(
            f"{path}: a {model_type} model is not supported (supported: {supported}{hint})"
        )
    defaults = _DEFAULTS[family]
    try:
        return ModelConfig(
            model_type,
            family,
            image_size=int(vision.get("image_size", defaults["image_size"])),
            patch_size=int(vision.get("patch_size", defaults["patch_size"])),
            context_length=int(
                text.get("max_position_embeddings", defaults["context_length"]),
            ),
            image_layers=int(vision.get("num_hidden_layers", _LAYERS)) + (family == "siglip"),
            text_layers=int(text.get("num_hidden_layers", _LAYERS)),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: a size in it is not a whole number: {error}") from error
