"""Read zips where they are, and report the faults of one in a single sentence.

A zip is never unpacked into files: a dataset has tens of thousands, and clusters charge for each.
"""

import io
import json
import math
import os
import re
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections import Counter
from functools import cached_property
from pathlib import Path

from clip_grounding.errors import InputError

_MOST_GROWTH = 100  # growth of a member when it is unpacked: the published JSON grows about tenfold
_HARMLESS = 16 << 20  # bytes, whatever the growth
_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # NotImplementedError too: an unknown version, a patch
    ValueError,
    OverflowError,
)
"""The exceptions that zipfile raises on damaged or hostile bytes."""


_FOREIGN = "this is not the published archive, use that"


class ArchiveError(InputError):
    """An archive that cannot be used, or a member of it.

    Attributes
    ----------
    problem : str
        The message without the archive's name and the remedy.
    member : str or None
        The member; None for the whole archive.
    """

    def __init__(self, name: str, problem: str, remedy: str, member: str | None = None):
        super().__init__(f"{name}: {problem}: {remedy}")
        self.problem, self.member = problem, member


class DamagedError(ArchiveError):
    """An archive, or one of its members, is damaged."""


class Archive:
    """A zip that is open for reading; whatever is wrong with it is an `InputError`.

    Use it as a context manager, or `close` it. Nothing is ever unpacked under a member's own name.
    Only stored and deflated members are read: the published archives have no others, and other
    methods grow a few bytes to gigabytes in one step.

    Parameters
    ----------
    file : str, Path or binary file
    name : str
        What messages call it.
    """

    def __init__(self, file, name: str):
        self.name = name
        self._remedy = describe_remedy(name, "archive")
        try:
            self._zip = zipfile.ZipFile(file)
        except FileNotFoundError:
            raise InputError(
                f"{name}: this archive is missing: run the workflow to fetch it"
            ) from None
        except PermissionError as error:
            problem = f"not readable ({error.strerror})"
            raise ArchiveError(name, problem, "give yourself permission and rerun") from error
        except _UNREADABLE as error:
            raise DamagedError(name, f"truncated or not a zip ({error})", self._remedy) from error
        try:
            self._refuse_hostile_members()
        except InputError:
            self.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def read(self, member: str) -> bytes:
        """Return a member's bytes, with its checksum checked."""
        out = io.BytesIO()
        self.copy(member, out)
        return out.getvalue()

    def has(self, member: str) -> bool:
        """Return whether there is such a member."""
        return member in self._zip.NameToInfo

    def names(self) -> list[str]:
        """Return the names of all members."""
        return self._zip.namelist()

    def info(self, member: str) -> zipfile.ZipInfo:
        """Return the entry of a member in the zip's directory."""
        try:
            return self._zip.getinfo(member)
        except KeyError:
            remedy = "check that this is the archive of the config's `split`"
            raise ArchiveError(self.name, f"has no member {member}", remedy, member) from None

    def span(self, member: str) -> tuple[int, int]:
        """Return the first byte of a member, header included, and the one after its last.

        The span may include what lies between the member and the next.
        """
        start = self.info(member).header_offset
        index = bisect_right(self._offsets, start)
        return start, self._offsets[index]

    @cached_property
    def _offsets(self) -> list[int]:
        return sorted([*(info.header_offset for info in self._zip.infolist()), self._zip.start_dir])

    def copy(self, member: str, out) -> None:
        """Write a member's bytes to the binary file `out`, with size and checksum checked."""
        info = self.info(member)
        self._refuse_hostile_content(info)
        size = 0
        for chunk in self._chunks(info):
            size += len(chunk)
            out.write(chunk)
        if size != info.file_size:
            raise self.damaged(member, f"{size:,} bytes, {info.file_size:,} were announced")

    def check(self) -> None:
        """Read every member, so that all checksums are checked.

        Raises
        ------
        DamagedError
            One is damaged.
        """
        nowhere = open(os.devnull, "wb")  # noqa: SIM115 (closed below)
        with nowhere:
            for name in self.names():
                self.copy(name, nowhere)

    def damaged(self, member: str, how: str) -> DamagedError:
        """Return the error for a damaged member, with the remedy."""
        return DamagedError(self.name, f"member {member} is damaged ({how})", self._remedy, member)

    def _chunks(self, info: zipfile.ZipInfo):
        """Yield a member's bytes; zipfile reads no more of them than the directory announces."""
        try:
            with self._zip.open(info) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except _UNREADABLE as error:
            # zipfile says "Bad CRC-32"; a damaged stream ends early or cannot be decompressed.
            kind = "CRC" if "CRC" in str(error) else str(error) or "truncated"
            raise self.damaged(info.filename, kind) from error

    def _refuse_hostile_content(self, info: zipfile.ZipInfo) -> None:
        """Refuse a member that would grow too large, or is unlike those of published archives."""
        problem = None
        if info.compress_type not in _METHODS:
            method = zipfile.compressor_names.get(  # type: ignore[attr-defined]
                info.compress_type, info.compress_type
            )
            problem = f"is compressed by {method}, only stored and deflated ones are read"
        elif info.flag_bits & _ENCRYPTED:
            problem = "is encrypted"
        elif info.compress_size > self._zip.start_dir - info.header_offset:
            problem = f"claims {info.compress_size:,} bytes, more than the archive has"
        elif info.file_size > max(_HARMLESS, _MOST_GROWTH * info.compress_size):
            problem = f"would unpack {info.compress_size:,} bytes to {info.file_size:,}"
        if problem:
            problem = f"member {info.filename} {problem}"
            raise ArchiveError(self.name, problem, _FOREIGN, info.filename)

    def _refuse_hostile_members(self) -> None:
        """Refuse names that point outside the archive, and duplicate names."""
        names = self._zip.namelist()
        for name in names:
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                problem = f"member {name!r} points outside of the archive"
                raise ArchiveError(self.name, problem, _FOREIGN)
        name, count = Counter(names).most_common(1)[0] if names else ("", 0)
        if count > 1:
            raise ArchiveError(self.name, f"member {name!r} is there {count} times", _FOREIGN)


def parse_json(data: bytes, name: str):
    """Parse the JSON file `name`, and refuse what parsers would misread.

    Raises
    ------
    InputError
        It is no valid JSON, names a key twice in one object (of which most readers take the last),
        has a number that is not finite or beyond 64 bits, or half a surrogate pair, which no file
        can hold.
    """
    try:
        return read_json(data)
    except ValueError as error:
        # A member's bytes are as its archive's checksum says: they were published so.
        remedy = describe_remedy(name) if os.path.lexists(name) else _FOREIGN
        raise InputError(f"{name}: invalid JSON{error}: {remedy}") from error


def read_json(data: bytes, keep: bool = True):
    """Parse JSON; without `keep` it is only checked, which takes little memory.

    Raises
    ------
    ValueError
        As for `parse_json`; the message says where and how.
    """

    def build(pairs: list) -> dict | None:
        content = dict(pairs)
        if len(content) < len(pairs):
            twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise ValueError(f"the key {twice!r:.60} is there twice in one object")
        return content if keep else None

    try:
        text = data.decode(json.detect_encoding(data))
        value = json.loads(
            text,
            object_pairs_hook=build,
            parse_int=_read_integer,
            parse_float=_read_number,
            parse_constant=_read_number,
        )
        if re.search(r"\\u[dD][89a-fA-F]", text):
            _refuse_surrogates(text)
    except json.JSONDecodeError as error:
        raise ValueError(f" at line {error.lineno}, column {error.colno} ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f" ({error})") from error
    return value


def _read_integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= (value := int(text)) < 2**63:
        raise ValueError(f"the number {text[:20]}… is beyond 64 bits")
    return value


def _read_number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text:.20} is not a finite number")
    return value


_ESCAPES = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")


def _refuse_surrogates(text: str) -> None:
    """Refuse an escaped, unpaired surrogate."""
    first_ends = None  # where the escape of a first half ended
    for escape in _ESCAPES.finditer(text):
        code = int(escape[1] or "0", 16)
        is_second = 0xDC00 <= code < 0xE000
        is_due = first_ends is not None
        if is_second != is_due or (is_due and escape.start() != first_ends):
            break
        first_ends = escape.end() if 0xD800 <= code < 0xDC00 else None
    else:
        if first_ends is None:
            return
    raise ValueError("a text has half a surrogate pair")


def describe_remedy(name: str | Path, kind: str = "file") -> str:
    """Return what to do about a damaged file that a download or a link has brought.

    Under ``data/`` there may be a link: what must go is the download behind it, and a file of the
    user's own must be replaced by its owner.

    Parameters
    ----------
    name : str or Path
        The file, or ``{archive}/{member}``.
    kind : str
        What to call it.

    Returns
    -------
    str
        A clause in the imperative.
    """
    path = Path(name)
    while not os.path.lexists(path) and path.parent != path:
        path = path.parent  # out of the archives that a member is in
    real = Path(os.path.realpath(path))
    if not path.is_symlink():
        return f"delete the {kind} and rerun"
    folders = [path.parent, path.parent.parent]  # data/{dataset}, or images/ in it
    if real.parent in [Path(os.path.realpath(folder), "downloads") for folder in folders]:
        return f"delete {_show(real)} and rerun"
    return f"put the right {kind} at {_show(real)}, which {_show(path)} links to, and rerun"


def _show(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
