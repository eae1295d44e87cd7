"""Provide a dataset's file: placed by hand, linked, downloaded, or read from a server's zip.

Beside the file, ``downloads/`` holds what was downloaded whole, under a name that is unique to its
URL, and ``SHA256SUMS`` holds the checksums.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from clip_grounding.downloads.answers import DownloadError, RangeRefusedError
from clip_grounding.downloads.checksums import (
    BY_HAND,
    Record,
    forget_checksum,
    read_checksums,
    record_checksum,
)
from clip_grounding.downloads.files import (
    check_content,
    check_file,
    describe_failure,
    fetch_whole,
    link,
    local_path,
)
from clip_grounding.downloads.members import fetch_members
from clip_grounding.downloads.remote import RemoteFile
from clip_grounding.downloads.urls import describe_url, is_remote, plain_name, stored_name
from clip_grounding.errors import InputError, describe_unwritable
from clip_grounding.files import digest_files


def bring_source(
    urls: list[str],
    path: str | Path,
    folder: str | Path,
    size: int | None = None,
    sha256: str | None = None,
    members: list[str] | None = None,
) -> None:
    """Fetch a dataset's file to `path`.

    Parameters
    ----------
    urls : list of str
        Where it is, tried in order: ``http(s)://``, ``file://``, or paths.
    path : str or Path
        The file to make; it appears only when it is complete and as expected.
    folder : str or Path
        The dataset's folder. Jobs that fetch parts of the same published file take turns.
    size : int, optional
        The published file's size in bytes.
    sha256 : str, optional
        Its SHA-256; by default the checksum that ``SHA256SUMS`` has of it, if any.
    members : list of str, optional
        The members needed, if it is a zip. From a server that allows it, only these are fetched,
        and `path` is a zip of these; but not over plain http with a `sha256`, which can be checked
        only against the whole file.

    Raises
    ------
    InputError
        No place has the file that is expected. `path` stays as it was, and what has arrived of
        the file is kept for the next try.
    """
    path = Path(path)
    store = _Store(Path(folder).absolute(), path.suffix, urls, size, sha256)
    try:
        with store.locked():
            _bring(store, urls, path, members)
    except OSError as error:
        raise describe_unwritable(path, error) from error


def _bring(store: "_Store", urls: list[str], path: Path, members: list[str] | None) -> None:
    if (stored := store.find()) is not None:
        link(stored, path, relative=True)
        return
    problems: dict[str, DownloadError] = {}
    for url in urls:
        source = local_path(url)
        try:
            if source is not None:
                store.check(source)
                link(source, path)
            elif members is None or not store.fetch_members(url, members, path):
                store.fetch_whole(url)
                link(store.file, path, relative=True)
        except DownloadError as problem:
            problems[describe_url(url) if source is None else str(source)] = problem
        else:
            return
    remedy = f"put the right file there, or correct the url of {path} in the config"
    if store.published:
        remedy = store.describe_remedy()
    raise describe_failure(problems, remedy)


class _Store:
    """The part of a dataset's folder of downloads that concerns one published file.

    A download is kept under the name of its first URL, which no other URL has. A file put in place
    by hand may have just the published name, unless the URL has a query.
    """

    def __init__(
        self, folder: Path, suffix: str, urls: list[str], size: int | None, sha256: str | None
    ):
        self.published = [url for url in urls if is_remote(url)]
        self.checksums = folder / "SHA256SUMS"
        self._folder = folder / "downloads"
        self._origins = [describe_url(url) for url in self.published]
        self._suffix, self._size, self._sha256 = suffix, size, sha256

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold a lock against other jobs that fetch the same file."""
        if not self.published:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / f".{plain_name(self.published[0])}.lock"):
            yield

    @cached_property
    def file(self) -> Path:
        """Where a download is kept: where it began, even if mirrors were reordered."""
        files = [self._folder / stored_name(url) for url in self.published]
        begun = [file for file in files if file.with_name(f"{file.name}.part").exists()]
        return [*begun, *files][0]

    def find(self) -> Path | None:
        """Return the file that is already here, by hand or from an earlier download, if any.

        Raises
        ------
        InputError
            A file that the workflow did not download is not the expected one.
        """
        own = [self._folder / stored_name(url) for url in self.published]
        plain = [self._folder / plain_name(url) for url in self.published if "?" not in url]
        for file in dict.fromkeys([*own, *plain]):
            if file.exists() and self._is_ours_to_use(file) and self._is_right(file):
                return file
        return None

    def check(self, source: Path) -> None:
        """Compare a local file with what is known of the published one."""
        check_file(source, self._size, self._sha256)
        if self._sha256 is None:
            check_content(source, self._suffix)

    def fetch_members(self, url: str, members: list[str], path: Path) -> bool:
        """Make `path` a zip of some members; return whether the server allows it."""
        if self._sha256 is not None and not url.lower().startswith("https://"):
            print(
                f"{describe_url(url)}: plain http, and the sha256 in the config is one of the whole"
                " file: fetching all of it to check",
                flush=True,
            )
            return False
        part = self.file.with_name(f"{self.file.name}.part")
        secure = self._sha256 is not None  # else bytes from a plain-http mirror go unchecked
        with RemoteFile(url, part, self._size, checked=True, secure=secure) as remote:
            try:
                fetch_members(remote, members, path)
            except RangeRefusedError:
                print(
                    f"{remote.shown}: the server sends no parts of files: fetching all of it",
                    flush=True,
                )
                return False
        if self._sha256 is not None:
            print(
                f"{describe_url(url)}: read in parts over https; checked by the size and the"
                " members' CRC-32, not by the sha256 of the whole file",
                flush=True,
            )
        return True

    def fetch_whole(self, url: str) -> None:
        """Download the whole file into the store, and record its checksum."""
        expected = self._sha256
        if expected is None and self._record is not None:
            expected = self._record.sha256
        digest = fetch_whole(url, self.file, self._size, expected, self._suffix)
        record_checksum(self.checksums, f"downloads/{self.file.name}", digest, describe_url(url))

    def describe_remedy(self) -> str:
        """Return the remedy for when no place has the file."""
        plain = self._folder / plain_name(self.published[0])
        by_hand = self.file if "?" in self.published[0] or plain.exists() else plain
        remedy = f"run again to go on where it ended, or fetch it by hand as {_show(by_hand)}"
        if self._sha256 is None and (record := self._record) is not None:
            remedy += (
                f"; {_show(self.checksums)} has its checksum of {record.day} ({record.origin}): if"
                " another file is right now, give its sha256 in the config"
            )
        return remedy

    @property
    def _record(self) -> Record | None:
        """Return the record of the file in ``SHA256SUMS``, from one of its places or by hand."""
        records = read_checksums(self.checksums)
        names = [name(url) for url in self.published for name in (stored_name, plain_name)]
        known = [records.get(f"downloads/{name}") for name in names]
        return next((record for record in known if record and self._is_of_ours(record)), None)

    def _is_of_ours(self, record: Record) -> bool:
        """Return whether a record is of one of these URLs, not another with the same ending."""
        claims = [BY_HAND, *(f"{BY_HAND} for {origin}" for origin in self._origins)]
        return record.origin in (claims if record.is_by_hand else self._origins)

    def _is_ours_to_use(self, file: Path) -> bool:
        """Return whether a file may be used; remove a download from a place no longer in use."""
        record = read_checksums(self.checksums).get(f"downloads/{file.name}")
        if record is None or self._is_of_ours(record):
            return True
        if file.name not in map(stored_name, self.published):
            return False  # just the published name: of another URL with the same ending
        if record.is_by_hand or self._sha256 is not None:
            return True
        if record.sha256 == self._digest(file):
            file.unlink()  # from a mirror that the config no longer has
            return False
        return True

    def _is_right(self, file: Path) -> bool:
        """Return whether a file is the expected one; if not, a download of ours is removed."""
        name = f"downloads/{file.name}"
        record = read_checksums(self.checksums).get(name)
        known = record or self._record
        digest = self._digest(file)
        expected = self._sha256 or (known.sha256 if known else None)
        try:
            check_file(file, self._size)
            if expected is not None and digest != expected:
                says = "" if self._sha256 else f" ({_show(self.checksums)} says)"
                raise DownloadError(f"its sha256 is {digest}, {expected} was expected{says}")
            if self._sha256 is None:
                check_content(file, self._suffix)
        except DownloadError as problem:
            if record is not None and record.sha256 == digest:
                forget_checksum(self.checksums, name)
                if not record.is_by_hand:
                    file.unlink()  # damaged, or the config names another file now
                    return False
            hint = "" if self._sha256 or not known else "; if it is right, give its sha256"
            raise InputError(
                f"{_show(file)}: {problem}: delete it to have it downloaded, or put the right file"
                f" there{hint and f'{hint} in the config'}"
            ) from problem
        if record is None or record.sha256 != digest or record.origin == BY_HAND:
            origin = f"{BY_HAND} for {self._origins[0]}"
            record_checksum(self.checksums, name, digest, origin)
        return True

    def _digest(self, file: Path) -> str:
        try:
            return digest_files([file], self._folder / ".digests.json")[0]
        except (PermissionError, IsADirectoryError) as error:
            raise InputError(
                f"{_show(file)}: not readable ({error.strerror}): delete it to have it downloaded,"
                " or put the right file there"
            ) from error


def _show(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
