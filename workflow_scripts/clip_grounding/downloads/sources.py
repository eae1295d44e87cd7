"""A dataset's file: put in place by hand, linked, read out of a server's zip, or downloaded.

Beside the file, ``downloads/`` holds what came whole, under the name that the server gives it, and
``SHA256SUMS`` what it was.
"""

from contextlib import nullcontext
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock

from clip_grounding.downloads.answers import DownloadError, RangeRefusedError
from clip_grounding.downloads.checksums import BY_HAND, Record, read_checksums, record_checksum
from clip_grounding.downloads.files import (
    check_file,
    describe_failure,
    fetch_whole,
    link,
    local_path,
)
from clip_grounding.downloads.members import fetch_members
from clip_grounding.downloads.remote import RemoteFile
from clip_grounding.errors import InputError
from clip_grounding.files import digest_files


def bring_source(
    urls: list[str],
    path: str | Path,
    folder: str | Path,
    size: int | None = None,
    sha256: str | None = None,
    members: list[str] | None = None,
) -> None:
    """Bring a dataset's file to `path`.

    Parameters
    ----------
    urls : list of str
        Where it is, tried in order: ``http(s)://``, ``file://``, or paths.
    path : str or Path
        The file to make; it appears only when it is complete and as expected.
    folder : str or Path
        The dataset's folder. Jobs that bring parts of the same published file take turns.
    size : int, optional
        The published file's size in bytes.
    sha256 : str, optional
        Its SHA-256. Without one, the checksum that ``SHA256SUMS`` has of it counts.
    members : list of str, optional
        All that is needed of it, if it is a zip. From a server that allows it, no more than these
        are fetched, and `path` is a zip of these.

    Raises
    ------
    InputError
        No place has the file that is expected. `path` stays as it was, and what has arrived of
        the file is kept for the next try.
    """
    path = Path(path)
    store = _Store(Path(folder).absolute(), path.name, urls, size, sha256)
    problems: dict[str, DownloadError] = {}
    with store.lock:
        if store.has_file():
            link(store.file, path, relative=True)
            return
        for url in urls:
            source = local_path(url)
            try:
                if source is not None:
                    check_file(source, size, sha256)
                    link(source, path)
                elif members is None or not store.fetch_members(url, members, path):
                    store.fetch_whole(url)
                    link(store.file, path, relative=True)
            except DownloadError as problem:
                problems[str(source or url)] = problem
            except OSError as error:
                raise InputError(
                    f"{path}: cannot be written ({error.strerror}): make room, and run again to go"
                    " on where it ended"
                ) from error
            else:
                return
    remedy = f"put the right file there, or correct the url of {path} in the config"
    if any(local_path(url) is None for url in urls):
        remedy = f"run again to go on where it ended, or fetch it by hand as {store.shown}"
        if sha256 is None and store.record is not None:
            remedy += (
                f"; {store.checksums} has its checksum of {store.record.day}"
                f" ({store.record.origin}): if another file is right now, give its sha256 in the"
                " config"
            )
    raise describe_failure(problems, remedy)


class _Store:
    """A dataset's folder of downloads, as far as it concerns one published file."""

    def __init__(
        self, folder: Path, name: str, urls: list[str], size: int | None, sha256: str | None
    ):
        published = [url for url in urls if local_path(url) is None]
        if published:
            name = unquote(published[0].partition("?")[0].rpartition("/")[2]) or name
        self.file = folder / "downloads" / name
        self.checksums = folder / "SHA256SUMS"
        self.shown = self.file.relative_to(Path.cwd()) if _is_below_here(self.file) else self.file
        self.name = f"downloads/{self.file.name}"
        self.record: Record | None = read_checksums(self.checksums).get(self.name)
        self.lock = FileLock(self.file.with_name(f".{name}.lock")) if published else nullcontext()
        self._urls, self._size, self._sha256 = urls, size, sha256
        if published:
            self.file.parent.mkdir(parents=True, exist_ok=True)

    def has_file(self) -> bool:
        """Tell whether the file is here already, by hand or from an earlier download."""
        if not self.file.exists():
            return False
        (digest,) = digest_files([self.file], self.file.with_name(".digests.json"))
        ours = (
            self.record is not None
            and self.record.origin != BY_HAND
            and self.record.sha256 == digest
        )
        if ours and self._sha256 is None and self.record.origin not in self._urls:
            self.file.unlink()  # the config names another place now
            return False
        expected = self._sha256 or (self.record.sha256 if self.record else None)
        try:
            check_file(self.file, self._size)
            if expected is not None and digest != expected:
                raise DownloadError(f"its sha256 is {digest}, {expected} was expected")
        except DownloadError as problem:
            if ours:
                self.file.unlink()  # the config names another file now
                return False
            source = "" if self._sha256 or not self.record else f" ({self.checksums} says)"
            raise InputError(
                f"{self.shown}: {problem}{source}: delete it to have it downloaded, or put the"
                " right file there"
            ) from problem
        if self.record is None or self.record.sha256 != digest:
            record_checksum(self.checksums, self.name, digest, BY_HAND)
        return True

    def fetch_members(self, url: str, members: list[str], path: Path) -> bool:
        """Make `path` a zip of some members; tell whether the server lets itself be asked so."""
        part = self.file.with_name(f"{self.file.name}.part")
        with RemoteFile(url, part, self._size, checked=True) as remote:
            try:
                fetch_members(remote, members, path)
            except RangeRefusedError:
                print(f"{url}: the server sends no parts of files: fetching all of it", flush=True)
                return False
        return True

    def fetch_whole(self, url: str) -> None:
        """Download the whole file into the store, and note its checksum."""
        expected = self._sha256
        if expected is None and self.record and self.record.origin in (*self._urls, BY_HAND):
            expected = self.record.sha256
        digest = fetch_whole(url, self.file, self._size, expected)
        record_checksum(self.checksums, self.name, digest, url)


def _is_below_here(path: Path) -> bool:
    return path.is_relative_to(Path.cwd())
