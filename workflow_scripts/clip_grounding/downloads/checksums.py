"""Keep ``SHA256SUMS``: the checksum and origin of every file downloaded or put in place.

The format is that of ``sha256sum --check``; a comment above each line says where the file came
from. Later downloads of a file without a published checksum are compared with it.
"""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from clip_grounding.errors import InputError
from clip_grounding.files import replacing

BY_HAND = "put in place by hand"
"""Prefix of the origin of a file that the workflow did not download."""


@dataclass(frozen=True)
class Record:
    """A file's sha256, its origin, and the day it was recorded (ISO)."""

    sha256: str
    origin: str
    day: str

    @property
    def is_by_hand(self) -> bool:
        """Whether no download of ours has brought the file."""
        return self.origin.startswith(BY_HAND)


def read_checksums(path: Path) -> dict[str, Record]:
    """Read ``SHA256SUMS``; return the records by file name, none where there is no such file."""
    records, origin, day = {}, "", ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable ({error}): delete it and rerun") from error
    for number, line in enumerate(lines, 1):
        if comment := re.fullmatch(r"# (.*), (\d{4}-\d\d-\d\d)", line):
            origin, day = comment.groups()
        elif entry := re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line):
            records[entry[2]] = Record(entry[1], origin, day)
        elif line.strip() and not line.startswith("#"):
            raise InputError(
                f"{path}: line {number} is not a checksum with a file name: correct or delete"
                " the line"
            )
    return records


def record_checksum(path: Path, name: str, sha256: str, origin: str) -> None:
    """Record a file's checksum and origin in ``SHA256SUMS``, replacing an earlier record."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    _change(path, name, Record(sha256, origin, today))


def forget_checksum(path: Path, name: str) -> None:
    """Remove a file's line from ``SHA256SUMS``: its content turned out to be damaged."""
    _change(path, name, None)


def _change(path: Path, name: str, record: Record | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):  # several downloads share the file
        records = {**read_checksums(path), name: record}
        lines = [
            f"# {record.origin}, {record.day}\n{record.sha256}  {name}\n"
            for name, record in sorted(records.items())
            if record is not None
        ]
        with replacing(path) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
