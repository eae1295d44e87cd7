"""Fetch parts of a server's file into a sparse file, with a note of the spans that are here.

Bytes are fetched once. After any interruption, the next download asks for the rest by Range;
If-Range and the announced size tell whether the server still has the same file.
"""

import hashlib
import json
import os
import shutil
import time
from http import HTTPStatus
from pathlib import Path

import requests

from clip_grounding.downloads.answers import (
    WEB_PAGE,
    ChangedError,
    DownloadError,
    PassingError,
    RangeRefusedError,
    announced_size,
    announced_start,
    is_web_page,
    refuse_problems,
    validator_of,
)
from clip_grounding.downloads.connections import CHUNK, ask, open_session, read_body
from clip_grounding.downloads.progress import Progress
from clip_grounding.downloads.spans import Span, add_span, count_bytes, find_gaps, remove_span
from clip_grounding.downloads.urls import describe_url, plain_name
from clip_grounding.errors import InputError, describe_unwritable
from clip_grounding.files import replacing, sync

TIMEOUT = 60
"""Seconds without a byte after which a connection counts as dead."""

PAUSES = (1, 2, 4, 8, 16)
"""Seconds to wait before each further attempt; after the last, a server counts as gone."""

MOST_UNANNOUNCED = 2 << 30
"""Largest size in bytes of a file whose size neither the config nor the server tells."""

_LONGEST_PAUSE = 120
_SAVE_EVERY = 1.0  # seconds of download that a kill can cost
_END = 1 << 62  # beyond any file


class RemoteFile:
    """A file on a server, and the parts of it that have been fetched.

    Parameters
    ----------
    url : str
        ``http(s)://``.
    path : Path
        The sparse file of the parts that are here. ``{path}.json`` lists them.
    size : int, optional
        Expected size in bytes.
    checked : bool
        Whether the content is checked at the end, so that bytes from a mirror, or from a server
        that identifies no version, may be continued.
    secure : bool
        Whether bytes may be continued only if all of them came over https.

    Attributes
    ----------
    size : int or None
        The file's size in bytes, once known.
    shown : str
        The URL for messages, without credentials.
    """

    def __init__(
        self,
        url: str,
        path: Path,
        size: int | None = None,
        checked: bool = False,
        secure: bool = False,
    ):
        self.url, self.path, self.size = url, Path(path), size
        self.shown = describe_url(url)
        self._expected, self._checked, self._secure = size, checked, secure
        self._over_https = self._is_https()  # all that is here
        self._notes = self.path.with_name(f"{self.path.name}.json")
        self._validator: str | None = None
        self._spans: list[Span] = []
        self._sha256, self._hashed = hashlib.sha256(), 0
        self._saved = 0.0
        self._session = open_session()
        self._load()

    def __enter__(self) -> "RemoteFile":
        return self

    def __exit__(self, *_) -> None:
        self._session.close()

    @property
    def here(self) -> int:
        """Bytes that have been fetched."""
        return count_bytes(self._spans)

    def fetch_all(self) -> None:
        """Fetch the missing parts of the file, in order.

        Raises
        ------
        DownloadError
            The server cannot be reached, or does not have the file. What has arrived is kept.
        """
        with self._progress(self.size) as progress:
            while gap := self._first_gap():
                self._fetch_gap(gap, progress)
        if self.size == 0:
            raise DownloadError("empty")

    def fetch_spans(self, spans: list[Span]) -> None:
        """Fetch the missing bytes of some parts of the file, and no others.

        Raises
        ------
        RangeRefusedError
            The server sends only the whole file.
        DownloadError
            As for `fetch_all`.
        """
        gaps = [gap for span in spans for gap in find_gaps(self._spans, *span)]
        if not gaps:
            return
        with self._progress(self.here + count_bytes(gaps)) as progress:
            for start, stop in gaps:
                while rest := find_gaps(self._spans, start, stop):
                    self._fetch_gap(rest[0], progress, parts=True)

    def read(self, start: int, stop: int) -> bytes:
        """Return bytes that have been fetched."""
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def digest(self) -> str:
        """Return the sha256 of the whole file, reading again what was not hashed on arrival."""
        with self.path.open("rb") as file:
            file.seek(self._hashed)
            while chunk := file.read(1 << 20):
                self._sha256.update(chunk)
                self._hashed += len(chunk)
        return self._sha256.hexdigest()

    def forget(self, start: int = 0, stop: int | None = None) -> None:
        """Discard bytes that turned out to be wrong."""
        self._spans = remove_span(self._spans, start, _END if stop is None else stop)
        self._sha256, self._hashed = hashlib.sha256(), 0
        self._save()

    def delete(self) -> None:
        """Remove the parts and the note of them."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def keep_as(self, path: Path) -> None:
        """Rename the complete file to its final name; its bytes are on disk already."""
        self.path.replace(path)
        sync(path.parent)
        self._notes.unlink(missing_ok=True)

    def _first_gap(self) -> Span | None:
        """Return the next part to ask for; for a file of unknown size, all that follows."""
        gaps = find_gaps(self._spans, 0, _END if self.size is None else self.size)
        return gaps[0] if gaps else None

    def _fetch_gap(self, gap: Span, progress: Progress, parts: bool = False) -> None:
        """Fetch from the start of a gap onwards, trying again while that may help."""
        tries, most = 0, self.here
        while True:
            try:
                return self._request(*gap, progress, parts)
            except RangeRefusedError:
                if parts:
                    raise
                problem, wait = "the server does not resume downloads", 0.0
                self._start_over()
            except ChangedError as error:
                problem, wait = str(error), error.wait
                self._start_over()
                if parts:
                    raise DownloadError(f"{problem}: run again") from error
            except PassingError as error:
                problem, wait = str(error), error.wait
                if self._validator is None and not self._checked:
                    self._start_over()  # the rest could be another version's, unnoticed
            # Progress earns new attempts; a few bytes, or the same ones after a restart, do not.
            if self.here >= most + CHUNK:
                tries, most = 0, self.here
            else:
                tries += 1
            if tries > len(PAUSES):
                raise DownloadError(f"{problem}; {len(PAUSES)} more tries did not help")
            pause = min(max(wait, PAUSES[max(tries - 1, 0)]), _LONGEST_PAUSE)
            print(f"{self.shown}: {problem}; trying again in {pause:g} s", flush=True)
            time.sleep(pause)
            if parts:
                rest = find_gaps(self._spans, *gap)
                if not rest:
                    return None
                gap = rest[0]
            else:
                following = self._first_gap()
                if following is None:
                    return None
                gap = following

    def _request(self, start: int, stop: int, progress: Progress, parts: bool) -> None:
        """Request [start, stop) once and keep what arrives."""
        headers = {}
        open_end = stop >= _END or stop == self.size
        if parts or start > 0 or not open_end:
            headers["Range"] = f"bytes={start}-{'' if open_end and not parts else stop - 1}"
            if self._validator and self._spans:
                headers["If-Range"] = self._validator
        with ask(self._session, self.url, headers, TIMEOUT) as response:
            refuse_problems(response, start)
            ranged = response.status_code == HTTPStatus.PARTIAL_CONTENT
            announced = announced_size(response, ranged)
            self._compare(response, announced, ranged, start, bool(headers))
            if self.size is None:
                self.size = announced
            if not parts:
                progress.announce(self.size, self.here)
            self._validator = validator_of(response)
            try:
                self._require_room(start, stop)
                end = self._receive(response, start, stop if parts else None, progress)
            except OSError as error:
                raise describe_unwritable(self.path, error) from error
            if self.size is not None and end < min(stop, self.size):
                raise PassingError(self._describe_end(end))
            if self.size is None:
                self.size = count_bytes(self._spans)  # the body's end was the file's

    def _compare(
        self,
        response: requests.Response,
        announced: int | None,
        ranged: bool,
        start: int,
        asked: bool,
    ) -> None:
        """Check that the response is the requested part, and of the same file."""
        validator = validator_of(response)
        other = None not in (validator, self._validator) and validator != self._validator
        if self._spans and other:
            raise ChangedError("the server's file has changed since the download began")
        if asked and not ranged:
            raise RangeRefusedError("the server sends no parts of it")
        if ranged and not asked:
            raise DownloadError("the server answered 206, 200 was expected")
        if ranged and announced_start(response) != start:
            raise DownloadError("the server sent another part than the one asked for")
        if None not in (announced, self._expected) and announced != self._expected:
            raise DownloadError(
                f"the server has {announced:,} bytes, {self._expected:,} were expected"
            )
        if self._spans and None not in (announced, self.size) and announced != self.size:
            raise ChangedError("the server's file has changed its size since the download began")

    def _require_room(self, start: int, stop: int) -> None:
        """Refuse a download that the disk has no room for, before its first byte."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        needed = 0 if self.size is None else min(stop, self.size) - start
        free = shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise InputError(
                f"{self.path}: cannot be written ({needed:,} bytes are to come): make room in"
                f" {self.path.parent}, where {free:,} bytes are free, and run again to go on where"
                " it ended"
            )

    def _receive(
        self, response: requests.Response, start: int, stop: int | None, progress: Progress
    ) -> int:
        """Write the body at `start`, noting its progress from time to time; return its end."""
        position = start
        most = MOST_UNANNOUNCED if self.size is None else self.size
        with self.path.open("r+b" if self._spans else "w+b", buffering=0) as file:
            file.seek(start)
            try:
                for chunk in read_body(response, TIMEOUT):
                    if position == 0 and is_web_page(chunk):
                        raise DownloadError(WEB_PAGE)
                    if position + len(chunk) > most:
                        hint = "" if self.size else ": give its `size` in the config"
                        raise DownloadError(f"more than the expected {most:,} bytes{hint}")
                    if stop is not None and position + len(chunk) > stop:
                        raise DownloadError("the server sent more than the part asked for")
                    file.write(chunk)
                    if position == self._hashed:
                        self._sha256.update(chunk)
                        self._hashed += len(chunk)
                    self._spans = add_span(self._spans, position, position + len(chunk))
                    position += len(chunk)
                    progress.advance(len(chunk))
                    if time.monotonic() - self._saved > _SAVE_EVERY:
                        self._save(file.fileno())
            except PassingError as error:
                raise PassingError(f"{self._describe_end(position)}{error}") from error
            finally:
                self._save(file.fileno())
        return position

    def _describe_end(self, position: int) -> str:
        whole = "" if self.size is None else f" of {self.size:,}"
        return f"the connection ended after {position:,}{whole} bytes"

    def _start_over(self) -> None:
        """Forget another file's bytes, and what the server announced about it."""
        self._spans, self._validator, self.size = [], None, self._expected
        self._over_https = self._is_https()
        self._sha256, self._hashed = hashlib.sha256(), 0
        self.delete()

    def _is_https(self) -> bool:
        return self.url.lower().startswith("https:")

    def _progress(self, total: int | None) -> Progress:
        return Progress(plain_name(self.url), total, self.here)

    def _load(self) -> None:
        """Resume from what an earlier download left, if it is of the same file."""
        if not (self.path.exists() and self._notes.exists()):
            return
        try:
            notes = json.loads(self._notes.read_text())
            spans = [(int(start), int(stop)) for start, stop in notes["spans"]]
            size, validator, url = notes["size"], notes["validator"], notes["url"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return  # written by another version of the workflow
        spans = remove_span(spans, self.path.stat().st_size, _END)  # the file was truncated
        same_file = url == self.shown and validator is not None
        if None not in (size, self._expected) and size != self._expected:
            return
        over_https = notes.get("https") is True
        if self._secure and not over_https:
            return
        if same_file or self._checked:
            self._over_https &= over_https
            self._spans, self.size = spans, size or self.size
            self._validator = validator if url == self.shown else None

    def _save(self, descriptor: int | None = None) -> None:
        """Note what is here, but only once the bytes of the open file are on the disk."""
        if not self._spans:
            self.delete()
            return
        if descriptor is not None:
            os.fsync(descriptor)
        notes = {
            "url": self.shown,
            "validator": self._validator,
            "size": self.size,
            "spans": self._spans,
            "https": self._over_https,
        }
        with replacing(self._notes) as temporary:
            temporary.write_text(json.dumps(notes))
        self._saved = time.monotonic()
