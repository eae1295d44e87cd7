"""Zips that are read where they are; what is wrong with one is said in one sentence.

A zip is never unpacked into files: a dataset has tens of thousands, and clusters charge for each.
"""

import io
import json
import shutil
import zipfile
import zlib
from bisect import bisect_right
from functools import cached_property

from clip_grounding.errors import InputError

_MOST_GROWTH = 100  # of a member when it is unpacked: the published JSON grows about tenfold
_HARMLESS = 16 << 20  # bytes, whatever the growth


class DamagedError(InputError):
    """An archive, or one of its members, is not what was published.

    Attributes
    ----------
    member : str or None
        The member; None for the whole archive.
    """

    def __init__(self, message: str, member: str | None = None):
        super().__init__(message)
        self.member = member


class Archive:
    """A zip that is open for reading; whatever is wrong with it is an `InputError`.

    Use it as a context manager, or `close` it. Nothing is ever unpacked under a member's own name.

    Parameters
    ----------
    file : str, Path or binary file
    name : str
        What messages call it.
    """

    def __init__(self, file, name: str):
        self.name = name
        try:
            self._zip = zipfile.ZipFile(file)
        except FileNotFoundError:
            raise InputError(
                f"{name}: this archive is missing: run the workflow to fetch it"
            ) from None
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DamagedError(
                f"{name}: truncated or no zip ({error}): delete the archive and rerun"
            ) from error
        self._refuse_hostile_names()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def read(self, member: str) -> bytes:
        """Give a member's bytes, with its checksum checked."""
        out = io.BytesIO()
        self.copy(member, out)
        return out.getvalue()

    def has(self, member: str) -> bool:
        """Tell whether there is such a member."""
        return member in self._zip.NameToInfo

    def info(self, member: str) -> zipfile.ZipInfo:
        """Give what the zip's directory says of a member."""
        try:
            return self._zip.getinfo(member)
        except KeyError:
            raise InputError(
                f"{self.name}: has no member {member}: check that this is the archive of the"
                " config's `split`"
            ) from None

    def span(self, member: str) -> tuple[int, int]:
        """First byte of a member in the archive, its header included, and the one after its last.

        The last may include what lies between the member and the next.
        """
        start = self.info(member).header_offset
        index = bisect_right(self._offsets, start)
        return start, self._offsets[index]

    @cached_property
    def _offsets(self) -> list[int]:
        return sorted([*(info.header_offset for info in self._zip.infolist()), self._zip.start_dir])

    def copy(self, member: str, out) -> None:
        """Write a member's bytes to the binary file `out`, with its checksum checked."""
        info = self.info(member)
        if info.file_size > max(_HARMLESS, _MOST_GROWTH * info.compress_size):
            raise InputError(
                f"{self.name}: member {member} would unpack {info.compress_size:,} bytes to"
                f" {info.file_size:,}: this is not the published archive, use that"
            )
        try:
            with self._zip.open(info) as file:
                shutil.copyfileobj(file, out, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            # zipfile says "Bad CRC-32"; a damaged stream ends early or cannot be decompressed.
            kind = "CRC" if "CRC" in str(error) else str(error) or "truncated"
            raise self.damaged(member, kind) from error
        except RuntimeError as error:  # an unknown compression, a password
            raise InputError(
                f"{self.name}: member {member} cannot be read ({error}): use the published archive"
            ) from error

    def damaged(self, member: str, how: str) -> DamagedError:
        """Say that a member is damaged."""
        return DamagedError(
            f"{self.name}: member {member} is damaged ({how}): delete the archive and rerun", member
        )

    def _refuse_hostile_names(self) -> None:
        """Refuse an archive made to write outside of where it is unpacked."""
        for name in self._zip.namelist():
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                self.close()
                raise InputError(
                    f"{self.name}: member {name!r} points outside of the archive: this is not the"
                    " published archive, use that"
                )


def parse_json(data: bytes, name: str):
    """Parse the JSON file `name`; an error in it is an `InputError` with its line."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}: invalid JSON at line {error.lineno}, column {error.colno} ({error.msg}):"
            " delete the file and rerun"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name}: invalid JSON ({error}): delete the file and rerun") from error
