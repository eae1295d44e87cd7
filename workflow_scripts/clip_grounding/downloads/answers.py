"""Interpret a server's response to a download: the file, a part of it, or a kind of failure."""

import re
from http import HTTPStatus

import requests

from clip_grounding.downloads.urls import hide_secrets, printable

WEB_PAGE = "the server sent a web page, not the file: a login page or a captive portal?"

_BUSY = {408, 425, 429}


class DownloadError(Exception):
    """The fault of a download, without the file's name and the remedy."""


class RangeRefusedError(DownloadError):
    """The server sends the whole file where only a part was asked for."""


class PassingError(DownloadError):
    """Another try may help."""

    def __init__(self, message: str, wait: float = 0):
        super().__init__(message)
        self.wait = wait


class ChangedError(PassingError):
    """The server's file differs from the one that the bytes here are from."""


def refuse_problems(response: requests.Response, start: int) -> None:
    """Turn an answer that is not the file from byte `start` on into an error."""
    status = response.status_code
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        raise ChangedError(f"the server's file ends before byte {start:,}")
    if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        after = response.headers.get("Retry-After", "")
        wait = float(after) if re.fullmatch(r"[0-9]{1,9}", after) else 0.0  # otherwise a date
        raise PassingError(f"the server answered {_status(response)}", wait)
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise DownloadError(f"the server answered {_status(response)}")
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise DownloadError(WEB_PAGE)
    if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise DownloadError("the server sent it compressed, which was not asked for")


def validator_of(response: requests.Response) -> str | None:
    """Return the validator of the server's version of the file, in a form that If-Range takes."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def announced_size(response: requests.Response, ranged: bool) -> int | None:
    """Return the size of the whole file in bytes, as the server announces it."""
    if ranged:
        total = re.search(r"/([0-9]{1,18})$", response.headers.get("Content-Range", ""))
        return int(total[1]) if total else None
    length = response.headers.get("Content-Length", "").strip()
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def announced_start(response: requests.Response) -> int | None:
    """Return the first byte of the part that the server announces; None if invalid."""
    part = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)",
        response.headers.get("Content-Range", "").strip(),
    )
    if part is None or int(part[2]) < int(part[1]):
        return None
    if part[3] != "*" and int(part[2]) >= int(part[3]):
        return None
    return int(part[1])


def is_web_page(head: bytes) -> bool:
    """Return whether the first bytes are those of a web page rather than of the file."""
    return head[:512].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _status(response: requests.Response) -> str:
    return f"{response.status_code} ({printable(response.reason or 'without a reason', 80)})"


def describe_cause(error: Exception) -> str:
    """Return the innermost message of a network error, fit for a terminal."""
    while inner := error.__cause__ or error.__context__ or getattr(error, "reason", None):
        if not isinstance(inner, Exception):
            break
        error = inner
    return printable(hide_secrets(str(error))) or type(error).__name__
