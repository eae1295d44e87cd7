"""Fill and replace the folder of a model, ``data/models/<name>``.

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
NOTE = ".origin"  # says what a part folder is of
_BOOKKEEPING = {MANIFEST, RECORD, NOTE}
_LEFTOVER = re.compile(r"\.{1,2}manifest\.json\.\d+\.part")  # of a job that was killed


def part_of(folder: Path) -> Path:
    """Return the folder in which a model's folder is filled until it is complete."""
    return folder.with_name(f".{folder.name}.part")


def read_record(folder: Path) -> dict | None:
    """Read the workflow's record of a model's folder; None where there is none.

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
    """Refuse a path that is not a folder, or holds files that the workflow did not write.

    Raises
    ------
    InputError
        Filling it would remove a user's files.
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
    """Refuse a user's ``manifest.json``, which Snakemake would delete before the job.

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
    """Refuse to fill a folder from one that lies in it, holds it, or is it, links included.

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
    """Return whether a path is a folder or lies under it, whatever names and links lead there."""
    try:
        inner = inner.resolve()
    except (OSError, RuntimeError):  # circular links lead nowhere
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
        The checkpoint that it will hold.
    resume : bool
        Keep what a part folder of the same origin already holds.

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
    """Remove the part folder of a model's folder, if the workflow made it."""
    part = part_of(folder)
    if not part.is_symlink() and (part / NOTE).is_file():
        shutil.rmtree(part)


def finish_part(folder: Path, checkpoint: str, revision: str | None) -> None:
    """Rename a complete part folder to its final name, and write its manifest.

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
    # The old files go first: weights in another format could be loaded instead of the new ones.
    clear_folder(folder)
    part.replace(folder)
    (folder / NOTE).unlink()
    write_manifest(folder)


def write_manifest(folder: Path) -> None:
    """Write ``manifest.json``, which marks the folder as complete, from its record."""
    with replacing(folder / MANIFEST) as temporary:
        shutil.copyfile(folder / RECORD, temporary)


def clear_folder(folder: Path) -> list[str]:
    """Remove what the workflow wrote to a model's folder, and the folder if that leaves it empty.

    Returns
    -------
    list of str
        The names that remain because the workflow did not write them.
    """
    if folder.is_symlink() or not folder.is_dir():
        return []
    left = _foreign_names(folder)
    if read_record(folder) is not None:
        # The record goes last: after a kill, it still says what may be removed.
        names = [name for name in _list_names(folder) if name not in (*left, RECORD)]
        for name in [*names, RECORD]:
            (folder / name).unlink()
    if not left:
        folder.rmdir()
    return left


def _foreign_names(folder: Path) -> list[str]:
    """List what a folder holds besides the files of its record."""
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
        # A file that replaced a link, or was changed, is the user's; a download can be repeated.
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
