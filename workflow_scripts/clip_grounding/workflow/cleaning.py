"""Remove the files that runs made, according to Snakemake's records, for ``make clean``.

Downloads and other files in the same folders stay: a gigabyte is not fetched again for a clean
start, and no file of the user's is removed because of where it lies.
"""

import os
import re
import shutil
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.models.folders import clear_folder, drop_part

_MADE = ("data", "results")
_TOLD = {"logs": r".*\.log", "benchmarks": r".*\.tsv|performance\.json"}
_CACHES = (
    "data/.digests.json",
    "data/.fingerprints.json",
    "data/.image_counts.json",
    "data/models/.digests.json",
)
_RECORDS = ("metadata", "incomplete")  # of finished jobs, and of killed ones


def clean_folder(root: Path, list_page: Callable[[Path], list[str]]) -> list[Path]:
    """Remove what runs made in a working directory, and the folders that this leaves empty.

    Parameters
    ----------
    root : Path
        The working directory, with ``.snakemake``.
    list_page : callable
        Lists the files of a gallery's folder, see `clip_grounding.gallery.page.list_files`.

    Returns
    -------
    list of Path
        The files that remain in the folders of runs, relative to `root`, in order.

    Raises
    ------
    InputError
        A run is in progress there, or ended without removing its lock.
    """
    memory = root / ".snakemake"
    if any((memory / "locks").glob("*.lock")):
        raise InputError(
            f"{memory / 'locks'}: a run is under way in this folder, or was killed: wait for its"
            " end, or run `snakemake --unlock` if there is none, and then clean again"
        )
    recorded = sorted(set(_recorded(memory)))
    for name in recorded:
        _remove_output(root / name, list_page)
    for part in sorted((root / "data/models").glob(".*.part")):
        drop_part(part.with_name(part.name.removeprefix(".").removesuffix(".part")))
    for name in _CACHES if recorded else ():
        (root / name).unlink(missing_ok=True)
    for path in (path for name in _MADE for path in _files(root / name)):
        if path.suffix == ".json" and _is_beside(path.relative_to(root)):
            path.unlink()
    for name, pattern in _TOLD.items():
        for path in _files(root / name):
            if re.fullmatch(pattern, path.name):
                path.unlink()
    shutil.rmtree(memory, ignore_errors=True)
    tops = [root / name for name in (*_MADE, *_TOLD)]
    for top in tops:
        _remove_empty(top)
    kept = [path.relative_to(root) for top in tops for path in _files(top)]
    return [path for path in kept if path != Path("results/README.md")]


def _is_beside(path: Path) -> bool:
    """Return whether a file records what made outputs: a stamp, or a record of code."""
    return ".stamps" in path.parts or path.parts[:2] == ("results", ".code")


def _recorded(memory: Path) -> Iterator[str]:
    """Yield the outputs that Snakemake has recorded: relative paths, under _MADE."""
    for kind in _RECORDS:
        for record in _files(memory / kind):
            # Snakemake splits a long name into folders whose names begin with @.
            encoded = "".join(
                part.removeprefix("@") for part in record.relative_to(memory / kind).parts
            )
            try:
                name = urlsafe_b64decode(encoded).decode()
            except ValueError:
                continue
            path = Path(name)
            if path.parts[:1] and path.parts[0] in _MADE and ".." not in path.parts:
                yield name


def _remove_output(path: Path, list_page: Callable[[Path], list[str]]) -> None:
    """Remove an output and the files that were written beside it."""
    if path.parent.is_dir():
        leftover = re.compile(rf"\.{re.escape(path.name)}\.\d+\.part")
        for other in path.parent.iterdir():
            if leftover.fullmatch(other.name):
                other.unlink()
    if path.parent.parent.name == "models" and path.name == "manifest.json":
        clear_folder(path.parent)
    elif path.parent.name == "files" and path.parent.parent.name == "gallery":
        for name in list_page(path.parent) if path.parent.is_dir() else []:
            (path.parent / name).unlink()
    if path.is_symlink() or path.is_file():
        path.unlink()


def _files(top: Path) -> list[Path]:
    """List the files and links under a folder; links to folders are not followed."""
    found = []
    for folder, folders, names in os.walk(top):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        found += [Path(folder, name) for name in (*names, *links)]
    return sorted(found)


def _remove_empty(top: Path) -> None:
    for folder, _, _ in os.walk(top, topdown=False):
        if not os.path.islink(folder) and not os.listdir(folder):
            os.rmdir(folder)
