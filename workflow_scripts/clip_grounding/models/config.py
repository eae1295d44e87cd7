"""Read a model's description from its ``config.json``, without importing torch.

Only the settings that determine the model's shape are read. Others (how to run attention, what to
return, custom code) are ignored.
"""

import json
import stat
from dataclasses import dataclass
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.models.families import FAMILIES, find_family, list_model_types

_HINTS = {
    "siglip2": "; of SigLIP 2 the checkpoints of one fixed resolution, whose type is siglip",
    **dict.fromkeys(
        ("clip_vision_model", "clip_text_model", "siglip_vision_model", "siglip_text_model"),
        "; both towers are needed",
    ),
}

# Settings that shape a model: everything else in a config.json is ignored.
_SHAPE = {
    "vision_config": ("num_channels", "image_size", "patch_size", "vision_use_head"),
    "text_config": (
        *("vocab_size", "max_position_embeddings", "projection_size"),
        *("bos_token_id", "eos_token_id", "pad_token_id"),
    ),
    "both": (
        *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
        *("hidden_act", "layer_norm_eps"),
    ),
}
_LARGEST = {"num_hidden_layers": 512, "image_size": 4096, "patch_size": 4096}
_LARGEST_EPS = 0.1
_NUMBERS = {
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_channels", "image_size", "patch_size"),
    *("vocab_size", "max_position_embeddings", "projection_size"),
}
_UNSUPPORTED = {
    "quantization_config": (
        "quantised weights are not supported, attributions need gradients in float32: give the"
        " `checkpoint` that they were made of"
    ),
    "auto_map": (
        "the checkpoint brings code of its own for its model, which is never run: give a"
        " `checkpoint` of transformers' own classes"
    ),
}
_LARGEST_FILE = 2**27  # bytes: the longest JSON of a checkpoint, a tokenizer, has 2^25


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model.

    Attributes
    ----------
    model_type : str
        As in ``config.json``.
    family : str
        A name of `families.FAMILIES`.
    image_size, patch_size : int
        Pixels of a side.
    context_length : int
        Tokens of the longest text, including special tokens.
    image_layers, text_layers : int
        Attention layers: the blocks, and a pooling head of the image tower.
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
        """Return the number of attention layers of the tower that a direction explains."""
        return self.image_layers if direction == "text_to_image" else self.text_layers


def read_model_config(folder: str | Path) -> ModelConfig:
    """Read the ``config.json`` of a checkpoint folder.

    Raises
    ------
    InputError
        It is missing, damaged, or of a model that no adapter opens.
    """
    path = Path(folder) / "config.json"
    config, towers = _read_towers(path)
    model_type = config["model_type"]
    family = find_family(model_type)
    if family is None:
        raise InputError(
            f"{path}: a {model_type} model (model_type) is not supported (supported:"
            f" {', '.join(list_model_types())}{_HINTS.get(model_type, '')}): give another"
            " `checkpoint`"
        )
    for key, remedy in _UNSUPPORTED.items():
        if config.get(key):
            raise InputError(f"{path}: {key}: {remedy}")
    if not towers["vision_config"].get("vision_use_head", True):
        raise InputError(
            f"{path}: vision_config.vision_use_head is false: without its pooling head a SigLIP"
            " has no image embedding; give a `checkpoint` that has the head"
        )

    def size(tower: str, key: str) -> int:
        value = towers[tower].get(key, FAMILIES[family].defaults.get(key))
        if type(value) is not int or value < 1:
            raise InputError(
                f"{path}: {tower}.{key} is {json.dumps(value)}, not a whole number: patches and"
                " images of another shape than a square are not supported; give another"
                " `checkpoint`, or one number where both of a list are the same"
            )
        if value > _LARGEST.get(key, value):
            raise InputError(
                f"{path}: {tower}.{key} is {value}, and {_LARGEST[key]} is the most that is"
                " supported: fetch the file again, or give another `checkpoint`"
            )
        return value

    for tower, own in towers.items():
        for key in _NUMBERS & own.keys():
            size(tower, key)
        eps = own.get("layer_norm_eps", 1e-5)
        if type(eps) not in (int, float) or not 0 < eps <= _LARGEST_EPS:
            raise InputError(
                f"{path}: {tower}.layer_norm_eps is {json.dumps(eps)}, not a small number above 0:"
                " correct it, or fetch the file again"
            )
    if size("vision_config", "patch_size") > size("vision_config", "image_size"):
        raise InputError(
            f"{path}: vision_config.patch_size is larger than its image_size: correct them, or"
            " fetch the file again"
        )
    if towers["vision_config"].get("num_channels", 3) != 3:
        raise InputError(
            f"{path}: vision_config.num_channels is not 3, and images are RGB: give another"
            " `checkpoint`"
        )

    return ModelConfig(
        model_type,
        family,
        image_size=size("vision_config", "image_size"),
        patch_size=size("vision_config", "patch_size"),
        context_length=size("text_config", "max_position_embeddings"),
        image_layers=size("vision_config", "num_hidden_layers") + FAMILIES[family].pooling_layers,
        text_layers=size("text_config", "num_hidden_layers"),
    )


def read_settings(folder: str | Path) -> dict:
    """Return only what transformers' config class of a model takes.

    Returns
    -------
    dict
        ``text_config`` and ``vision_config``, and for CLIP ``projection_dim``.

    Raises
    ------
    InputError
        As for `read_model_config`.
    """
    read_model_config(folder)
    config, towers = _read_towers(Path(folder) / "config.json")
    settings: dict = {
        tower: {key: own[key] for key in (*_SHAPE[tower], *_SHAPE["both"]) if key in own}
        for tower, own in towers.items()
    }
    if config.get("projection_dim") is not None:
        settings["projection_dim"] = config["projection_dim"]
    return settings


def read_json(path: Path) -> dict:
    """Read a JSON object of a checkpoint.

    Raises
    ------
    InputError
        The file is missing, damaged, too large, too deeply nested, or not an object.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a file")  # and reading a pipe would wait forever
        if status.st_size > _LARGEST_FILE:
            raise ValueError(f"it is larger than {_LARGEST_FILE} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not a readable {path.name} of a checkpoint ({error!r}): fetch it again, or"
            " correct `checkpoint` in the config"
        ) from error
    return content


def _read_towers(path: Path) -> tuple[dict, dict[str, dict]]:
    """Read a config.json, and the settings of each tower."""
    config = read_json(path)
    try:
        if not isinstance(config["model_type"], str):
            raise TypeError("model_type is not text")
        towers = {f"{name}_config": _tower(config, name) for name in ("vision", "text")}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a readable config.json of a checkpoint ({error!r}): fetch it again, or"
            " correct `checkpoint` in the config"
        ) from error
    return config, towers


def _tower(config: dict, name: str) -> dict:
    """Return a tower's settings; where OpenAI's configs have them twice, ``_dict`` wins."""
    if config.get(f"{name}_config_dict") is not None:
        return dict(config[f"{name}_config_dict"])
    return dict(config.get(f"{name}_config") or {})
