"""Make a model's checkpoint folder: fetched from the hub, or linked to a local folder.

Only what inference needs is fetched, so that jobs load from one known folder without a
network; its manifest, written last, says what it holds.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.files import digest_file, digest_files
from clip_grounding.models.config import read_model_config
from clip_grounding.models.folders import (
    NOTE,
    drop_part,
    finish_part,
    read_record,
    refuse_overlap,
    start_part,
    write_manifest,
)

_SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first of these that a checkpoint has


_CONVERSION = (
    "give a folder of your own as `checkpoint`, with the checkpoint's files and this one, made once"
    " by python, with sentencepiece and protobuf installed: from transformers import AutoTokenizer;"
    " from transformers.convert_slow_tokenizer import SpmConverter;"
    ' SpmConverter(AutoTokenizer.from_pretrained("FOLDER")).converted()'
    '.save("FOLDER/tokenizer.json")'
)


def fetch_checkpoint(checkpoint: str, revision: str | None, folder: str | Path) -> None:
    """Make `folder` a checkpoint that ``from_pretrained`` loads, with its manifest.

    A hub checkpoint that is already there, complete and of that revision, is not fetched again; one
    whose download was interrupted is continued.

    Parameters
    ----------
    checkpoint : str
        A hub id, or a local folder in the transformers layout; its files are linked.
    revision : str or None
        The revision of a hub id; None for a local folder.
    folder : str or Path
        The folder to make. One that the workflow made is replaced.

    Raises
    ------
    InputError
        The checkpoint cannot be fetched, lacks a file that inference needs, or is of a model or a
        tokenizer that no job could use; or making `folder` would remove files that the workflow
        did not write. `folder` stays as it was.
    """
    folder = Path(folder).absolute()
    if revision is None:
        source = Path(checkpoint).expanduser().absolute()
        refuse_overlap(source, folder)
    elif _is_here(folder, checkpoint, revision):
        write_manifest(folder)
        return
    origin = str(checkpoint) if revision is None else f"{checkpoint} at revision {revision}"
    partial = start_part(folder, origin, resume=revision is not None)
    try:
        if revision is None:
            _link_local(source, partial, folder)
            _refuse_settings(partial, origin)
        else:
            _fetch_from_hub(checkpoint, revision, partial)
    except InputError:
        if revision is None or not _has_begun(partial):
            drop_part(folder)
        raise
    # Importing it takes seconds and loads the hub's client, which must first be told that the
    # network may be used.
    from clip_grounding.models.checks import check_weights

    try:
        _refuse_unusable(check_weights, partial, origin)
    except InputError:
        drop_part(folder)
        raise
    finish_part(folder, checkpoint, revision)


def stay_offline() -> None:
    """Make this process and its children load checkpoints from their folders only."""
    os.environ["HF_HUB_OFFLINE"] = "1"


def _has_begun(partial: Path) -> bool:
    """Return whether anything of a hub checkpoint has arrived, even part of a file."""
    files = (path for path in partial.rglob("*") if path.is_file() and path.name != NOTE)
    return any(".cache" not in path.parts or path.suffix == ".incomplete" for path in files)


def _is_here(folder: Path, checkpoint: str, revision: str) -> bool:
    """Return whether a folder already holds a hub checkpoint, judging by its manifest's copy."""
    record = read_record(folder)
    try:
        if folder.is_symlink() or record is None:
            return False
        if [record["checkpoint"], record["revision"]] != [checkpoint, revision]:
            return False
        return all(digest_file(folder / name) == digest for name, digest in record["files"].items())
    except OSError:
        return False


def _link_local(source: Path, partial: Path, folder: Path) -> None:
    if not source.is_dir():
        raise InputError(
            f"{source}: no such folder: correct `checkpoint` in the config; a hub id needs its"
            " `revision` beside it"
        )
    names = _select_files([path.name for path in source.iterdir()], str(source))
    for name in names:
        if not (source / name).is_file():
            raise InputError(
                f"{source / name}: is not a file, or is a dangling link: fetch the checkpoint"
                " again, with the files that its links point at"
            )
    read_model_config(source)
    for name in names:
        refuse_overlap(source / name, folder)
        (partial / name).symlink_to(source / name)


def _fetch_from_hub(checkpoint: str, revision: str, partial: Path) -> None:
    """Fetch into `partial`, where the hub's client continues what is there, and check it."""
    os.environ["HF_HUB_OFFLINE"] = "0"  # set for every other job; read when the client is imported
    from httpx2 import HTTPError  # what huggingface_hub raises for a network that fails
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.hf_api import RepoFile

    origin = f"{checkpoint} at revision {revision}"
    try:
        tree = HfApi().list_repo_tree(checkpoint, revision=revision, recursive=True)
        files = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
        wanted = _select_files(files, origin)
        # The settings come first: weights that no adapter opens need not be downloaded.
        snapshot_download(
            checkpoint, revision=revision, local_dir=partial, allow_patterns=["config.json"]
        )
        _refuse_unusable(read_model_config, partial, origin)
        small = [name for name in wanted if not _is_weights(name)]
        snapshot_download(checkpoint, revision=revision, local_dir=partial, allow_patterns=small)
        _refuse_settings(partial, origin)
        snapshot_download(checkpoint, revision=revision, local_dir=partial, allow_patterns=wanted)
    except (OSError, ValueError, HTTPError) as error:
        lines = [line for line in str(error).splitlines() if line]
        raise InputError(
            f"{origin}: the hub did not give it"
            f" ({lines[0] if lines else type(error).__name__}): check the id, the revision and the"
            " network and run again, or fetch its files by hand and give their folder as"
            " `checkpoint`"
        ) from error
    for name in wanted:
        lfs = files[name].lfs  # the hub knows the sha256 of large files only
        if lfs is not None and (digest := digest_file(partial / name)) != lfs.sha256:
            (partial / name).unlink()
            raise InputError(
                f"{origin}: the sha256 of {name} is {digest}, {lfs.sha256} was expected: run again"
                " to fetch it anew"
            )
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the hub client's notes


def _select_files(names: Iterable[str], origin: str) -> list[str]:
    """Choose what inference needs from a checkpoint's files; raise if something is missing."""
    names = set(names)
    _refuse_adapter(names, origin)
    if "config.json" not in names:
        raise _missing(origin, "config.json")
    if not names & {"preprocessor_config.json", "processor_config.json"}:
        raise _missing(origin, "preprocessor_config.json")
    if "tokenizer.json" in names:
        tokenizer = ["tokenizer.json"]
    elif names >= {"vocab.json", "merges.txt"}:
        tokenizer = ["vocab.json", "merges.txt"]
    elif "spiece.model" in names:
        raise InputError(f"{origin}: has spiece.model, but no tokenizer.json: {_CONVERSION}")
    else:
        raise _missing(origin, "tokenizer.json, nor vocab.json with merges.txt")
    for weights in _WEIGHTS:
        stem, suffix = weights.split(".")
        index = f"{weights}.index.json"
        if weights in names:
            chosen = [weights]
        elif index in names:
            shard = re.compile(rf"{stem}-\d+-of-\d+\.{suffix}")
            chosen = [index, *filter(shard.fullmatch, names)]
        else:
            continue
        return sorted([*(names & set(_SETTINGS)), *tokenizer, *chosen])
    raise _missing(origin, "model.safetensors, nor pytorch_model.bin")


def _refuse_adapter(names: Iterable[str], origin: str) -> None:
    """Refuse a folder whose model consists of weights and a separate adapter."""
    for name in sorted(names):
        if re.fullmatch(r"adapter_(config\.json|model\..*)", name):
            raise InputError(
                f"{origin}: has {name}, an adapter that would be left out: merge it into the"
                " weights (peft's merge_and_unload), save them to a folder of their own and give"
                " that as `checkpoint`"
            )


def _missing(origin: str, what: str) -> InputError:
    return InputError(
        f"{origin}: has no {what}: a checkpoint in the transformers layout is needed; correct"
        " `checkpoint` and `revision` in the config"
    )


def _is_weights(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def _refuse_settings(folder: Path, origin: str) -> None:
    """Check all files of a checkpoint except the weights, which may not have been fetched yet."""
    from clip_grounding.models.checks import check_settings

    _complete_tokenizer(folder, origin)
    _refuse_unusable(check_settings, folder, origin)


def _complete_tokenizer(folder: Path, origin: str) -> None:
    """Create tokenizer.json where a checkpoint has only the vocabulary it is made from."""
    target = folder / "tokenizer.json"
    if target.exists():
        return
    from transformers import CLIPTokenizer  # seconds to import

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer.backend_tokenizer.save(str(target))
    except Exception as error:  # tokenizers raises bare Exception
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{origin}: vocab.json and merges.txt do not make a tokenizer ({reason}): fetch"
            " them again"
        ) from error


def _refuse_unusable(read: Callable[[Path], object], folder: Path, origin: str) -> None:
    """Read part of a checkpoint as jobs will, so that unusable ones are refused early."""
    try:
        read(folder)
    except InputError as error:
        within = f"{origin}: " if " at revision " in origin else f"{origin}/"
        message = str(error).replace(f"{folder}/", within).replace(f"{folder}:", f"{origin}:")
        raise InputError(message) from error


def digest_folder(folder: str | Path, cache: str | Path) -> str | None:
    """Return a digest of what inference needs in a local checkpoint folder.

    The content of a file is read again only when its size or time has changed, so the digest
    is cheap enough to be asked for whenever the workflow is parsed.

    Parameters
    ----------
    folder : str or Path
    cache : str or Path
        A JSON file that remembers the digest of each file; created if missing.

    Returns
    -------
    str or None
        None where the folder is not a checkpoint: fetching it will say why.
    """
    folder, cache = Path(folder).expanduser().absolute(), Path(cache)
    try:
        names = _select_files([path.name for path in folder.iterdir()], str(folder))
        if not all((folder / name).is_file() for name in names):
            return None
        digests = digest_files([folder / name for name in names], cache)
    except (OSError, ValueError, InputError):
        return None
    content = [names, digests]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
