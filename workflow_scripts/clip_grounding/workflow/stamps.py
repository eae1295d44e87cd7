"""Stamp every output with what made it, so that no result is mistaken for another.

A stamp names the rule, its settings, its code and the identity of every input. A Parquet table
carries its stamp in its metadata; for any other file, and for a folder, it lies in the folder
``.stamps`` beside it. Stamps travel with copied results, unlike Snakemake's records, and decide
whether a result is up to date.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from clip_grounding.errors import InputError
from clip_grounding.files import digest_files, replacing

AFFECTS_OUTPUT = False
"""No output depends on this module: an edit of it reruns nothing."""

FOLDER = ".stamps"

_EMBEDDED = ("output", "rule", "spec", "code", "inputs")
_MANIFEST = "manifest.json"
_DIGESTS = Path("data", ".digests.json")


@dataclass(frozen=True)
class Stamp:
    """A record of what an output was made from.

    Attributes
    ----------
    output : str
        The output's path.
    rule : str
    spec : str
        The settings, as canonical JSON.
    code : str or None
        The fingerprint of the script; None for a download, which no edit reruns.
    inputs : dict of str to str or None
        The declared inputs with their identities; None for those that have no stamp.
    content : str or None
        SHA-256 of an output other than a Parquet table; None for a table, which its settings
        identify.
    size, time : int or None
        Bytes, and nanoseconds since the epoch, of that output when its content was last read.
    """

    output: str
    rule: str
    spec: str
    code: str | None
    inputs: dict[str, str | None]
    content: str | None = None
    size: int | None = None
    time: int | None = None

    @cached_property
    def identity(self) -> str:
        """A hash of all that the output depends on: equal for equal results."""
        inputs = sorted((path, name) for path, name in self.inputs.items() if name is not None)
        content = json.loads(self.spec).get("sha256") or self.content
        facts = json.dumps([self.output, self.rule, self.spec, self.code, inputs, content])
        return hashlib.sha256(facts.encode()).hexdigest()[:32]


def identify(path: str) -> str | None:
    """Return the identity of a file; None if it carries no stamp, or one of another content."""
    stamp = read_stamp(path)
    return None if stamp is None else stamp.identity


def check_inputs(paths: Iterable[str]) -> None:
    """Check that every table among a job's inputs is what its place says, whole and unchanged.

    Raises
    ------
    InputError
        A table is damaged, was changed since it was written, or is another one's copy.
    """
    for path in paths:
        if not path.endswith(".parquet"):
            continue
        from clip_grounding.tables import check_contents  # downloads have no pyarrow

        check_contents(path)
        stamp = read_stamp(path)
        if stamp is None:
            raise InputError(f"{path}: it does not say what made it: delete it and rerun")
        if stamp.output != path:
            raise InputError(f"{path}: a copy of {stamp.output}: delete it and rerun")


def read_stamp(path: str | Path) -> Stamp | None:
    """Read the stamp of an output; None if it has none for its present content."""
    path = Path(path)
    if path.suffix == ".parquet":
        return _read_embedded(path)
    beside = _path_beside(path)
    try:
        stamp = Stamp(**json.loads(beside.read_text(encoding="utf-8")))
        size, time = _measure(path)
        if (stamp.size, stamp.time) == (size, time):
            return stamp
        if stamp.content == _digest(path):
            return replace(stamp, size=size, time=time)
    except (OSError, ValueError, TypeError):
        return None
    return None


def write_stamp(stamp: Stamp) -> None:
    """Write the stamp of an output other than a Parquet table, with its present content."""
    path = Path(stamp.output)
    size, time = _measure(path)
    stamp = replace(stamp, content=_digest(path), size=size, time=time)
    with replacing(_path_beside(path)) as temporary:
        text = json.dumps(asdict(stamp), indent=1, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8")


def embedded(stamp: Stamp) -> dict:
    """Return a stamp in the form that a Parquet table's provenance holds."""
    return {name: value for name, value in asdict(stamp).items() if name in _EMBEDDED}


def _read_embedded(path: Path) -> Stamp | None:
    import pyarrow as pa  # takes a quarter of a second, which runs without tables are spared
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata or {}
        return Stamp(**json.loads(metadata[b"provenance"])["stamp"])
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError):
        return None


def _path_beside(path: Path) -> Path:
    """Return the path of a stamp, in the folder of a dataset, the models or a study."""
    parts = path.parts
    depth = 2 if len(parts) > 2 else len(parts) - 1
    return Path(*parts[:depth], FOLDER, *parts[depth:-1], f"{parts[-1]}.json")


def _measure(path: Path) -> tuple[int, int]:
    """Return the total size of an output's files, and the time of the latest change."""
    statuses = [file.stat() for file in _content_of(path)]
    return sum(s.st_size for s in statuses), max((s.st_mtime_ns for s in statuses), default=0)


def _digest(path: Path) -> str:
    files = _content_of(path)
    # A link's target may be large and shared with other links: it is read once.
    digests = digest_files([file.resolve() for file in files], _DIGESTS)
    if files == [path]:
        return digests[0]
    names = [file.relative_to(path.parent).as_posix() for file in files]
    return hashlib.sha256(json.dumps([names, digests]).encode()).hexdigest()


def _content_of(path: Path) -> list[Path]:
    """Return the files that an output stands for: several for a manifest or a folder."""
    if path.name == _MANIFEST:
        path = path.parent
    if not path.is_dir():
        return [path]
    # Snakemake keeps a folder's time in a hidden file in it.
    return sorted(
        file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")
    )


class Stamps:
    """The stamps of files, each read once, and the problems of files."""

    def __init__(self):
        self._known: dict[str, Stamp | None] = {}
        self._times: dict[str, int] = {}

    def of(self, path: str) -> Stamp | None:
        """Return a file's stamp, or None."""
        if path not in self._known:
            self._known[path] = read_stamp(path)
        return self._known[path]

    def find_fault(self, path: str) -> str | None:
        """Return why a file cannot be trusted under any settings; None if it can.

        Its inputs must be those that it was made from, as far as they exist.
        """
        stamp = self.of(path)
        if stamp is None:
            return "carries no stamp of what made it"
        if stamp.output != path:
            return f"is {stamp.output}, put in its place"
        for name, identity in stamp.inputs.items():
            if not os.path.exists(name):
                continue
            now = self.of(name)
            if now is None or now.identity != identity:
                return f"was made from another {name}"
        return None

    def settle_time(self, path: str) -> None:
        """Date a file no earlier than its inputs, which its stamp has confirmed.

        Copies have the times of copying, in any order; Snakemake would take an input that was
        copied later for a changed one.
        """
        needed = self._latest_time(path)
        if needed > os.lstat(path).st_mtime_ns:
            os.utime(path, ns=(needed, needed), follow_symlinks=False)

    def _latest_time(self, path: str) -> int:
        """Return the latest time of a file and of all that it was made from, in nanoseconds."""
        if path not in self._times:
            self._times[path] = 0  # until it is known: no stamp makes this go round in circles
            exists = os.path.lexists(path)
            stamp = self.of(path) if exists else None
            times = [self._latest_time(name) for name in (stamp.inputs if stamp else ())]
            self._times[path] = max([_time_of(path) if exists else 0, *times])
        return self._times[path]


def _time_of(path: str) -> int:
    """Return the time of a file, or the later one of a link and its target, in nanoseconds."""
    own = os.lstat(path).st_mtime_ns
    return max(own, os.stat(path).st_mtime_ns) if os.path.exists(path) else own
