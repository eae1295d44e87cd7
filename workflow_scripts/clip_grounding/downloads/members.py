"""Fetch some members of a zip on a server, without the rest of it.

The zip's directory, then the members, are read by Range into a `RemoteFile`; what zipfile reads
from it afterwards is here, with its CRC-32 checked.
"""

import io
import zipfile
from pathlib import Path

from clip_grounding.downloads.answers import DownloadError
from clip_grounding.downloads.remote import RemoteFile
from clip_grounding.downloads.spans import join_near
from clip_grounding.downloads.urls import printable
from clip_grounding.downloads.zips import Archive, ArchiveError, DamagedError
from clip_grounding.files import replacing

_BLOCK = 1 << 16  # smallest request, and the largest gap that is not worth a second one


def fetch_members(remote: RemoteFile, members: list[str], path: Path) -> None:
    """Write `path`, a zip of some members of a server's zip.

    Parameters
    ----------
    remote : RemoteFile
        The server's zip. What it fetches stays in it.
    members : list of str
        The names of the members.
    path : Path
        The zip to make; it appears only when it is complete.

    Raises
    ------
    RangeRefusedError
        The server does not send parts of files.
    DownloadError
        The server cannot be reached, or its zip is damaged or unsafe.
    InputError
        The zip lacks a member, or holds one that must not be read.
    """
    try:
        with _open(remote) as archive:
            spans = {member: archive.span(member) for member in members}
            for again in (True, False):
                remote.fetch_spans(join_near(list(spans.values()), _BLOCK))
                try:
                    return _copy(archive, members, path)
                except DamagedError as error:
                    if error.member is not None:
                        remote.forget(*spans[error.member])
                    if not again:
                        raise
    except DamagedError as error:
        raise DownloadError(printable(error.problem)) from error
    except ArchiveError:
        remote.forget()  # so that the next attempt asks whether the server's file has changed
        raise


def _open(remote: RemoteFile) -> Archive:
    """Open the zip by its directory, fetched again if the part that is here is invalid."""
    resumed = remote.here > 0
    try:
        return Archive(_Reader(remote), remote.shown)
    except ArchiveError as error:
        remote.forget()
        if not resumed:
            raise DownloadError(printable(error.problem)) from error
    try:
        return Archive(_Reader(remote), remote.shown)
    except ArchiveError as error:
        remote.forget()
        raise DownloadError(printable(error.problem)) from error


def _copy(archive: Archive, members: list[str], path: Path) -> None:
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as out:
        for member in members:
            info = zipfile.ZipInfo(member)
            info.compress_type = archive.info(member).compress_type
            info.file_size = archive.info(member).file_size
            with out.open(info, "w") as file:
                archive.copy(member, file)


class _Reader(io.RawIOBase):
    """A `RemoteFile` as a readable file that fetches what is read."""

    def __init__(self, remote: RemoteFile):
        self._remote, self._position = remote, 0
        if remote.size is None:
            remote.fetch_spans([(0, 1)])  # the response tells the size
        if remote.size is None:
            raise DownloadError("the server does not tell the size of the file")
        self._size: int = remote.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer) -> int:
        start = min(self._position, self._size)
        stop = min(start + len(buffer), self._size)
        first = start // _BLOCK * _BLOCK
        last = min(-(-stop // _BLOCK) * _BLOCK, self._size)
        self._remote.fetch_spans([(first, last)] if start < stop else [])
        data = self._remote.read(start, stop)
        buffer[: len(data)] = data
        self._position = start + len(data)
        return len(data)
