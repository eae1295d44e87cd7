"""The folder of a model, ``data/models/<name>``: what the workflow wrote there, and no more.

A folder is filled in a part folder beside it and takes its name when it is whole. Nothing that
the workflow did not write is ever removed: a folder's own manifest lists what may be.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.files import digest_file, replacing

MANIFEST = "manifest.json"
RECORD = ".manifest.json"  # its copy: Snakemake deletes the manifest before it runs a job again
NOTE = ".origin"  # what a part folder is of
_BOOKKEEPING = {MANIFEST, RECORD, NOTE}
_LEFTOVER = re.compile(r"\.{1,2}manifest\.json\.\d+\.part")  # of a job that was killed


def part_of(folder: Path) -> Path:
    """Return where a model's folder is filled until it is whole."""
    return folder.with_name(f".{folder.name}.part")


def read_record(folder: Path) -> dict | None:
    """Read what the workflow noted of a model's folder; None where there is no such note.

    Returns
    -------
    dict or None
        ``checkpoint``, ``revision`` and ``files``, the sha256 of each by name.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        plain = all(Path(name).name == name for name in record["files"])
        named = {"checkpoint", "revision"} <= record.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return record if plain and named and isinstance(record["files"], dict) else None


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds what the workflow did not write, or that is none.

    Raises
    ------
    InputError
        Filling it would remove somebody's files.
    """
    if folder.is_symlink():
        raise InputError(
            f"{folder}: is a link to {folder.readlink()}, and the workflow fills a folder of its"
            " own there: remove the link, give the folder that it points at as `checkpoint` in the"
            " config, and run again"
        )
    if not folder.exists():
        return
    _refuse_files(folder, _foreign_names(folder))


def refuse_foreign_manifest(folder: Path) -> None:
    """Refuse somebody's own ``manifest.json``, which Snakemake would delete before the job.

    Raises
    ------
    InputError
        It is there, and is not the workflow's.
    """
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if {"checkpoint", "revision", "files"} <= manifest.keys():
            return
    except (OSError, ValueError, AttributeError, RecursionError):
        pass
    _refuse_files(folder, [MANIFEST])


def refuse_overlap(source: Path, folder: Path) -> None:
    """Refuse to fill a folder from one that lies in it, holds it, or is it, by links too.

    Raises
    ------
    InputError
        Making one would remove files of the other.
    """
    for target in (folder, part_of(folder)):
        if _lies_in(source, target) or _lies_in(target, source):
            raise InputError(
                f"{source}: overlaps with {target}, a folder that the workflow itself fills: move"
                " the checkpoint into a folder elsewhere and give that as `checkpoint` in the"
                " config"
            )


def _lies_in(inner: Path, outer: Path) -> bool:
    """Whether a path is a folder or under it, whatever names and links lead there."""
    try:
        inner = inner.resolve()
    except (OSError, RuntimeError):  # links in a circle lead nowhere
        return False
    if not outer.exists():
        return False
    return any(path.exists() and path.samefile(outer) for path in (inner, *inner.parents))


def start_part(folder: Path, origin: str, resume: bool = False) -> Path:
    """Make the part folder of a model's folder.

    Parameters
    ----------
    folder : Path
    origin : str
        What it will be of.
    resume : bool
        Keep what a part of the same origin holds already.

    Raises
    ------
    InputError
        A folder of that name is there, and is not the workflow's.
    """
    refuse_foreign(folder)
    part = part_of(folder)
    note = part / NOTE
    if part.is_symlink() or (part.exists() and not part.is_dir()):
        _refuse_files(part.parent, [part.name])
    if part.exists() and not note.is_file():
        _refuse_files(part, sorted(path.name for path in part.iterdir()))
    if not (resume and note.is_file() and note.read_text(encoding="utf-8") == origin):
        drop_part(folder)
    part.mkdir(parents=True, exist_ok=True)
    note.write_text(origin, encoding="utf-8")
    return part


def drop_part(folder: Path) -> None:
    """Remove the part folder of a model's folder, if it carries the workflow's note."""
    part = part_of(folder)
    if not part.is_symlink() and (part / NOTE).is_file():
        shutil.rmtree(part)


def finish_part(folder: Path, checkpoint: str, revision: str | None) -> None:
    """Rename a complete part folder to its model's folder, and write its manifest.

    Raises
    ------
    InputError
        The folder holds what the workflow did not write; it stays as it was.
    """
    part = part_of(folder)
    files = {
        path.name: digest_file(path)
        for path in sorted(part.iterdir())
        if path.name not in _BOOKKEEPING
    }
    record = {"checkpoint": checkpoint, "revision": revision, "files": files}
    with replacing(part / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    refuse_foreign(folder)
    # The old files go first: weights of another format beside the new would be loaded instead.
    clear_folder(folder)
    part.replace(folder)
    (folder / NOTE).unlink()
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """Write ``manifest.json``, which says that the folder is whole, from the folder's record."""
    with replacing(folder / MANIFEST) as temporary:
        shutil.copyfile(folder / RECORD, temporary)


def clear_folder(folder: Path) -> list[str]:
    """Remove what the workflow wrote into a model's folder, and the folder if nothing is left.

    Returns
    -------
    list of str
        The names that are left, since the workflow did not write them.
    """
    if folder.is_symlink() or not folder.is_dir():
        return []
    left = _foreign_names(folder)
    if read_record(folder) is not None:
        # The record goes last: after a kill it still says what may be removed.
        names = [name for name in _list_names(folder) if name not in (*left, RECORD)]
        for name in [*names, RECORD]:
            (folder / name).unlink()
    if not left:
        folder.rmdir()
    return left


def _foreign_names(folder: Path) -> list[str]:
    """List what a folder holds beside the files of its record."""
    if not folder.is_dir():
        return [folder.name]
    names, record = _list_names(folder), read_record(folder)
    if record is None:
        return names
    linked = record["revision"] is None

    def is_own(name: str) -> bool:
        path = folder / name
        if path.is_symlink():
            return name in record["files"]
        if not path.is_file():
            return False
        if name in _BOOKKEEPING or _LEFTOVER.fullmatch(name):
            return True
        digest = record["files"].get(name)
        # A file put in the place of a link, or changed, is somebody's; a download is made anew.
        return digest is not None and (not linked or digest_file(path) == digest)

    return [name for name in names if not is_own(name)]


def _list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _refuse_files(folder: Path, names: Iterable[str]) -> None:
    names = list(names)
    if not names:
        return
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    raise InputError(
        f"{folder}: holds {names[0]}{more}, which the workflow did not write and would have to"
        " remove: move what you need of this folder elsewhere, delete the rest, and run again"
    )
