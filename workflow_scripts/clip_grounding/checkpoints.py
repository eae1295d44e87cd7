"""A model's checkpoint folder: fetched from the hub, or linked to a folder of this machine.

Only what inference needs is brought, so that jobs load from one known folder without a
network; its manifest, written last, says what it holds.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.files import digest_file, replacing

MANIFEST = "manifest.json"

_SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that a checkpoint has


def fetch_checkpoint(checkpoint: str, revision: str | None, folder: str | Path) -> None:
    """Make `folder` a checkpoint that ``from_pretrained`` loads, with its manifest.

    Parameters
    ----------
    checkpoint : str
        A hub id, or a local folder in the transformers layout; its files are linked.
    revision : str or None
        The revision of a hub id; None for a local folder.
    folder : str or Path
        The folder to make. One that is there is replaced.

    Raises
    ------
    InputError
        The checkpoint cannot be had, or lacks a file that inference needs. `folder` stays as
        it was.
    """
    folder = Path(folder).absolute()
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if revision is None:
            origin = str(checkpoint)
            _link_local(Path(checkpoint).expanduser().absolute(), partial, folder)
        else:
            origin = f"{checkpoint} at revision {revision}"
            _fetch_from_hub(checkpoint, revision, partial)
        _check_shards(partial, origin)
        _complete_tokenizer(partial, origin)
        # The old files go first: weights of another format beside the new would be loaded instead.
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    write_manifest(folder, checkpoint, revision)


def _link_local(source: Path, partial: Path, folder: Path) -> None:
    if source.resolve() == folder.resolve():
        raise InputError(
            f"{source}: the workflow itself fills this folder: move the checkpoint elsewhere and"
            " correct `checkpoint` in the config"
        )
    if not source.is_dir():
        raise InputError(
            f"{source}: no such folder: correct `checkpoint` in the config; a hub id needs its"
            " `revision` beside it"
        )
    for name in _select_files([path.name for path in source.iterdir()], str(source)):
        (partial / name).symlink_to(source / name)


def _fetch_from_hub(checkpoint: str, revision: str, partial: Path) -> None:
    from httpx2 import HTTPError  # what huggingface_hub raises for a network that fails
    from huggingface_hub import HfApi, snapshot_download

    try:
        names = HfApi().list_repo_files(checkpoint, revision=revision)
        wanted = _select_files(names, f"{checkpoint} at revision {revision}")
        snapshot_download(checkpoint, revision=revision, local_dir=partial, allow_patterns=wanted)
    except (OSError, ValueError, HTTPError) as error:
        lines = [line for line in str(error).splitlines() if line]
        raise InputError(
            f"{checkpoint} at revision {revision}: the hub did not give it"
            f" ({lines[0] if lines else type(error).__name__}): check the id, the revision and the"
            " network, or fetch its files by hand and give their folder as `checkpoint`"
        ) from error
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the hub client's notes


def _select_files(names: Iterable[str], origin: str) -> list[str]:
    """Choose what inference needs among a checkpoint's files; raise if something is missing."""
    names = set(names)
    if "config.json" not in names:
        raise _missing(origin, "config.json")
    if not names & {"preprocessor_config.json", "processor_config.json"}:
        raise _missing(origin, "preprocessor_config.json")
    if "tokenizer.json" in names:
        tokenizer = ["tokenizer.json"]
    elif names >= {"vocab.json", "merges.txt"}:
        tokenizer = ["vocab.json", "merges.txt"]
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


def _missing(origin: str, what: str) -> InputError:
    return InputError(
        f"{origin}: has no {what}: a checkpoint in the transformers layout is needed; correct"
        " `checkpoint` and `revision` in the config"
    )


def _check_shards(folder: Path, origin: str) -> None:
    for index in folder.glob("*.index.json"):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{origin}: {index.name} is no index of weights: fetch the checkpoint again"
            ) from error
        for shard in sorted(shards):
            if not (folder / shard).is_file():
                raise _missing(origin, f"{shard}, which {index.name} names")


def _complete_tokenizer(folder: Path, origin: str) -> None:
    """Make tokenizer.json where a checkpoint has only the vocabulary it is made from."""
    target = folder / "tokenizer.json"
    if target.exists():
        return
    from transformers import CLIPTokenizer  # seconds to import

    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{origin}: vocab.json and merges.txt make no tokenizer ({error}): fetch them again"
        ) from error
    tokenizer.backend_tokenizer.save(str(target))


def digest_folder(folder: str | Path, cache: str | Path) -> str | None:
    """Give a digest of what inference needs in a local checkpoint folder.

    The content of a file is read again only when its size or time has changed, so the digest
    is cheap enough to be asked for whenever the workflow is parsed.

    Parameters
    ----------
    folder : str or Path
    cache : str or Path
        A JSON file that remembers the digest of each file; it is made where missing.

    Returns
    -------
    str or None
        None where the folder is no checkpoint: fetching it will say why.
    """
    folder, cache = Path(folder).expanduser().absolute(), Path(cache)
    try:
        names = _select_files([path.name for path in folder.iterdir()], str(folder))
        known = json.loads(cache.read_text()) if cache.exists() else {}
    except (OSError, ValueError, InputError):
        return None
    digests = {}
    for name in names:
        path = folder / name
        status = path.stat()
        key = [str(path), status.st_size, status.st_mtime_ns]
        digests[json.dumps(key)] = known.get(json.dumps(key)) or digest_file(path)
    if not digests.keys() <= known.keys():
        with replacing(cache) as temporary:
            temporary.write_text(json.dumps({**known, **digests}, indent=1, sort_keys=True))
    content = [names, list(digests.values())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def write_manifest(folder: Path, checkpoint: str, revision: str | None) -> None:
    """Write ``manifest.json``: where a checkpoint folder comes from, and each file's sha256."""
    files = {
        path.name: digest_file(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST
    }
    manifest = {"checkpoint": checkpoint, "revision": revision, "files": files}
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
