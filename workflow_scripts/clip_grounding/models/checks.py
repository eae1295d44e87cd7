"""Check a checkpoint when it is fetched, so that no job waits for one that cannot run.

The weights are read tensor by tensor and never loaded as a model, of which only the names and
shapes are built, without memory.
"""

import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModel

from clip_grounding.errors import InputError
from clip_grounding.models.config import read_json, read_model_config, read_settings
from clip_grounding.models.families import FAMILIES
from clip_grounding.models.preprocessing import ImagePreprocessor
from clip_grounding.models.tokenizer import TextTokenizer

PROBE_TEXTS = ("a star", "there is a red star on the sand, and two dogs in front of the trees")

_HARMLESS = re.compile(r"(.*\.)?(position_ids|causal_attention_mask|attn_mask)")
_CHUNK = 2**22  # values that are examined at a time
_CORRECT = "correct the file, or fetch it again"
_FETCH_AGAIN = "fetch the file again, or give another `checkpoint`"


def check_settings(folder: Path) -> None:
    """Refuse a checkpoint by its small files: settings, tokenizer, preprocessor.

    Raises
    ------
    InputError
        One is unreadable, or they do not match each other.
    """
    for path in sorted(folder.glob("*.json")):
        if path.name != "tokenizer.json":
            read_json(path)
    read_model_config(folder)
    config = stock_config(folder)
    expected_shapes(folder)
    check_tokenizer(folder, config.text_config)
    ImagePreprocessor(folder)


def stock_config(folder: str | Path):
    """Return transformers' config of a checkpoint's model, built from its shape alone.

    Raises
    ------
    InputError
        The class refuses it, or Python runs without docstrings, of which transformers makes its
        classes.
    """
    if sys.flags.optimize > 1:
        raise InputError("PYTHONOPTIMIZE: is 2, and transformers needs docstrings: unset it")
    settings = read_settings(folder)
    model_type = read_model_config(folder).model_type
    return _refusing(
        lambda: AutoConfig.for_model(model_type, **settings),
        f"{folder}/config.json: no model can be made of it",
        _CORRECT,
    )


def expected_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of each weight that a checkpoint's config.json asks for."""
    config = stock_config(folder)

    def build():
        with torch.device("meta"):
            return AutoModel.from_config(config, attn_implementation="sdpa")

    model = _refusing(build, f"{folder}/config.json: no model can be made of it", _CORRECT)
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def check_tokenizer(folder: str | Path, config) -> None:
    """Refuse a tokenizer that is damaged or does not belong to the model.

    Parameters
    ----------
    folder : str or Path
    config : transformers' text config

    Raises
    ------
    InputError
        It has an id without a row in the embedding, entries without the merges that make them,
        or ends texts with another id than the model pools.
    """
    path = Path(folder) / "tokenizer.json"
    tokenizer = TextTokenizer(folder)
    ids = Tokenizer.from_file(str(path)).get_vocab()
    token, highest = max(ids.items(), key=lambda item: item[1])
    if highest >= config.vocab_size:
        raise InputError(
            f"{path}: gives {token!r} the id {highest}, and config.json says that the model has"
            f" {config.vocab_size} (text_config.vocab_size): the files are not of one checkpoint;"
            " fetch it again, or take added tokens out"
        )
    family = FAMILIES[read_model_config(folder).family]
    _refuse_lost_merges(path, family.is_merged)
    if not family.has_ids:
        return
    if config.model_type == "clip_text_model" and config.eos_token_id == 2:
        # An old CLIP config, which always says 2: the model pools the highest id of a text.
        pooled = max(np.concatenate([tokenizer(text).ids for text in PROBE_TEXTS]))
    else:
        pooled = config.eos_token_id
    if pooled != tokenizer.end_of_text:
        raise InputError(
            f"{path}: ends a text with id {tokenizer.end_of_text}, but the model pools {pooled}"
            " (text_config.eos_token_id in config.json): the files are not of one checkpoint; fetch"
            " it again or correct the id"
        )


def _refuse_lost_merges(path: Path, is_merged: bool) -> None:
    """Refuse byte pairs whose vocabulary has entries that no merge makes."""
    content = read_json(path)
    try:
        model = content["model"]
        if "merges" not in model:
            return
        pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
        made = {"".join(pair) for pair in pairs}
        suffix = model.get("end_of_word_suffix") or ""
        added = {token["content"] for token in content.get("added_tokens") or []}
        words = [entry for entry in model["vocab"] if entry not in added]
        entries = [entry for entry in words if len(_stem(entry, suffix)) > 1]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a readable tokenizer ({error!r}): fetch the checkpoint again"
        ) from error
    lost = [entry for entry in entries if entry not in made]
    # Of a family whose merges make not all, such as Gemma's, the normaliser makes some.
    merges = path.with_name("merges.txt")
    if lost and (is_merged or 2 * len(lost) > len(entries)):
        raise InputError(
            f"{merges if merges.exists() else path}: {len(lost)} entries of the vocabulary, such as"
            f" {lost[0]!r}, are made by no merge: the merges are truncated or damaged; fetch the"
            " file again"
        )


def _stem(entry: str, suffix: str) -> str:
    return entry.removesuffix(suffix) if suffix else entry


def check_weights(folder: Path) -> None:
    """Refuse weights that are unreadable, not finite, or not those that the config describes.

    Raises
    ------
    InputError
        Names the file and a weight.
    """
    expected = expected_shapes(folder)
    found = set()
    for path in weight_files(folder):
        for name, read in _open_weights(path):
            if not isinstance(name, str):
                raise InputError(f"{path}: {_describe(path)}")
            if is_harmless(name):
                continue
            value = _refusing(read, f"{path}: {name} cannot be read", _FETCH_AGAIN)
            if not isinstance(value, Tensor):
                raise InputError(
                    f"{path}: {name} is not a tensor: a file with only weights is needed; save"
                    " the model with save_pretrained, or give another `checkpoint`"
                )
            if name not in expected:
                raise InputError(unused_message(path, [name]))
            if tuple(value.shape) != expected[name]:
                raise InputError(
                    f"{path}: {name} is {_times(value.shape)}, and config.json makes it"
                    f" {_times(expected[name])}: the files are not of one checkpoint; fetch it"
                    " again, or correct config.json"
                )
            _refuse_values(path, name, value)
            found.add(name)
    if missing := sorted(expected.keys() - found):
        raise InputError(missing_message(folder, missing))


def missing_message(folder: str | Path, names: list[str]) -> str:
    """Return a sentence on the weights that a checkpoint lacks."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (
        f"{folder}: its weights lack {names[0]}{more}: a checkpoint of both towers is needed; fetch"
        " it again or correct `checkpoint`"
    )


def unused_message(path: str | Path, names: Iterable[str]) -> str:
    """Return a sentence on the weights of a checkpoint that its model does not use."""
    name = sorted(names)[0]
    if "lora" in name.lower() or "adapter" in name.lower():
        remedy = "merge the adapter into the weights (peft's merge_and_unload) and save them again"
    else:
        remedy = "correct config.json, or give the `checkpoint` that the weights are of"
    return f"{path}: holds {name}, which the model of its config.json does not use: {remedy}"


def is_harmless(name: str) -> bool:
    """Return whether a tensor is a constant that old checkpoints keep beside their weights."""
    return _HARMLESS.fullmatch(name) is not None


def weight_files(folder: Path) -> list[Path]:
    """List the files of a checkpoint that hold its weights: one, or the shards of its index."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).exists():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.exists():
            shards = [folder / shard for shard in read_shards(index)]
            for shard in shards:
                if not shard.exists():
                    raise InputError(
                        f"{folder}: has no {shard.name}, which {index.name} names: {_FETCH_AGAIN}"
                    )
            return shards
    raise InputError(f"{folder}: has no weights: {_FETCH_AGAIN}")


def read_shards(index: Path) -> list[str]:
    """Read the names of the files that an index of weights lists.

    Raises
    ------
    InputError
        It is not such an index, or names files elsewhere.
    """
    weight_map = read_json(index).get("weight_map")
    shards = weight_map.values() if isinstance(weight_map, dict) else ()
    if not shards or not all(
        isinstance(shard, str) and shard and Path(shard).name == shard for shard in shards
    ):
        raise InputError(
            f"{index}: {index.name} is not an index of the weights beside it: fetch the"
            " checkpoint again"
        )
    return sorted(set(shards))


def _open_weights(path: Path) -> Iterator[tuple[str, Callable]]:
    """Yield each tensor's name with a function that reads it."""
    try:
        if path.suffix == ".safetensors":
            weights = safe_open(path, "pt")
            names, read = weights.keys(), weights.get_tensor
        else:
            mapped = _is_stored_zip(path)
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            names, read = list(state), state.__getitem__
    except Exception as error:  # hides torch's advice to load the file as code
        raise InputError(f"{path}: {_describe(path)}") from error
    for name in names:
        yield name, lambda name=name: read(name)


def _is_stored_zip(path: Path) -> bool:
    """Return whether a pickle of weights is in a zip; torch does not compress its own."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as members:
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.infolist()):
            raise ValueError("compressed")
    return True


def _describe(path: Path) -> str:
    """Describe the fault of a file of weights that cannot be read."""
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer to a file in Git LFS, not the weights: run `git lfs pull` where it is"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return f"is a web page, not weights (a login, perhaps): {_FETCH_AGAIN}"
    return (
        f"is not a file of weights, or is truncated or damaged ({path.stat().st_size} bytes):"
        f" {_FETCH_AGAIN}"
    )


def _refuse_values(path: Path, name: str, value: Tensor) -> None:
    if value.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        dtype = str(value.dtype).removeprefix("torch.")
        raise InputError(
            f"{path}: {name} is {dtype}: quantised weights are not supported; give the `checkpoint`"
            " that they were made of"
        )
    if value.layout != torch.strided or (
        value.untyped_storage().nbytes() < value.numel() * value.element_size()
    ):
        raise InputError(f"{path}: {name} is not stored whole: {_FETCH_AGAIN}")
    if not all(chunk.float().isfinite().all() for chunk in value.reshape(-1).split(_CHUNK)):
        raise InputError(
            f"{path}: {name} has values that are NaN or infinite: the file is damaged, or its"
            f" training went wrong; {_FETCH_AGAIN}"
        )


def _times(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _refusing(make: Callable, what: str, remedy: str):
    """Call a function that may raise anything for a bad file; report that in one line."""
    try:
        return make()
    except Exception as error:  # torch and transformers have no common class
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{what} ({reason}): {remedy}") from error
