"""Resolve the paths in the settings, and report those that lead nowhere.

Settings come in layers: the repository's config.yaml, the files given with ``--configfile``, and
``--config``. A relative path is taken from the folder of the file that names it, or else from the
working directory. Where a file lies does not matter: a job's settings hold a digest of its content.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname


class Layer(NamedTuple):
    """The settings in one file, and the folder that its relative paths are taken from."""

    settings: Mapping
    folder: Path


def local_place(place: str) -> Path | None:
    """Return the path of a local place, None for a server's."""
    if place.startswith(("http://", "https://")):
        return None
    if place.startswith("file://"):
        return Path(url2pathname(urlsplit(place).path))
    return Path(place)


def first_local(places: list[str]) -> Path | None:
    """Return the local file that is used, None if a server comes first."""
    for place in places:
        path = local_place(place)
        if path is None:
            return None
        if path.is_file():
            return path
    return None


def resolve_places(config: dict, layers: Sequence[Layer]) -> dict[tuple, str | None]:
    """Make the paths in validated settings absolute, in place, and every `url` a list.

    Parameters
    ----------
    config : dict
    layers : sequence of Layer
        The layers of the settings, in order of precedence.

    Returns
    -------
    dict
        The problems of paths that lead nowhere, by the keys of the setting. A file that is one of
        several places is looked for by the job that fetches it.
    """
    problems = {}
    for key, parent in _list_settings(config):
        written = parent[key[-1]]
        folders = [_folder_of(key, layers), Path.cwd()]
        if isinstance(written, str):
            parent[key[-1]], problem = _resolve(written, folders)
            found = problem is None
        else:
            resolved = [_resolve(place, folders) for place in written]
            parent[key[-1]] = [place for place, _ in resolved]
            found = any(problem is None for _, problem in resolved)
            problem = "; ".join(filter(None, (problem for _, problem in resolved)))
        if key[-1] == "url" and isinstance(parent["url"], str):
            parent["url"] = [parent["url"]]
        if not found:
            problems[key] = problem
        elif key[-1] == "checkpoint" and not Path(parent["checkpoint"]).is_dir():
            problems[key] = f"{parent['checkpoint']} is not a folder: give the checkpoint's folder"
    return problems


def _list_settings(config: dict) -> Iterator[tuple[tuple, dict]]:
    """List the settings that may be paths: their keys, and the section that holds each."""
    for name, dataset in config["datasets"].items():
        for file in ("images", "panoptic", "narratives"):
            if file in dataset:
                yield ("datasets", name, file, "url"), dataset[file]
    for name, model in config["models"].items():
        if "checkpoint" in model and model["revision"] is None:
            yield ("models", name, "checkpoint"), model
    if config["published_metrics"] is not None:
        yield ("published_metrics",), config


def _folder_of(key: tuple, layers: Sequence[Layer]) -> Path:
    """Return the folder of the file that names a setting: the first layer that has it."""
    for settings, folder in layers:
        section: Any = settings
        for part in key:
            section = section.get(part) if isinstance(section, Mapping) else None
        if section is not None:
            return folder
    return Path.cwd()


def _resolve(place: str, folders: list[Path]) -> tuple[str, str | None]:
    """Return a place with its path made absolute, and its problem or None."""
    if "\0" in place:
        return place, f"{place!r} has a NUL character: correct the path"
    path = local_place(place)
    if path is None:
        return place, None
    try:
        path = path.expanduser()
    except RuntimeError:
        return place, f"{place}: there is no user {path.parts[0][1:]}: write the path in full"
    candidates = list(dict.fromkeys(folder / path for folder in folders))
    for candidate in candidates:
        try:
            candidate.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return place, f"{place} cannot be read ({error.strerror}): correct the path"
        return _spell(candidate), None
    looked = " nor ".join(map(_spell, candidates))
    problem = f"{place} does not exist: correct the path"
    if not path.is_absolute():
        problem = (
            f"{place} does not exist: there is {'neither' if ' nor ' in looked else 'no'} {looked};"
            " correct the path, which is taken from the folder of the file that names it, or else"
            " from the working directory"
        )
    return _spell(candidates[0]), problem


def _spell(path: Path) -> str:
    """Return a path without leading ``..`` steps."""
    parts: list[str] = []
    for part in path.parts:
        is_link = part == ".." and Path(*parts).is_symlink()
        if part == ".." and len(parts) > 1 and parts[-1] != ".." and not is_link:
            parts.pop()
        else:
            parts.append(part)
    return str(Path(*parts))


def is_local_folder(checkpoint: str) -> bool:
    """Return whether a model's `checkpoint` is a local folder, not a hub id."""
    return checkpoint.startswith(("/", ".", "~"))
