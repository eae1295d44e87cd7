"""One answer of a server: redirects, deadlines and the body as it arrives.

Nothing that a server sends is trusted to end: neither its head, nor a circle of redirects, nor
the body of one. Credentials are those of netrc, for each host its own.
"""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from clip_grounding.downloads.answers import DownloadError, PassingError, describe_cause
from clip_grounding.downloads.urls import describe_url, is_remote

LOWEST_RATE = 1000
"""Bytes a second, below which a server is given up for the next one."""

CHUNK = 1 << 16
"""Bytes that are read at most at a time."""

_MOST_REDIRECTS = 10


class _Session(requests.Session):
    """A session that follows no redirect by itself: it would read the redirect's whole body."""

    def resolve_redirects(self, *_, **__) -> Iterator[requests.Response]:
        yield from ()


def open_session() -> requests.Session:
    """Return a session whose answers are the files as they are stored."""
    session = _Session()
    session.headers.update({"User-Agent": "clip-grounding", "Accept-Encoding": "identity"})
    return session


@contextmanager
def ask(
    session: requests.Session, url: str, headers: dict[str, str], timeout: float
) -> Iterator[requests.Response]:
    """Yield the head of a server's answer, after redirects; the body is still to come.

    Raises
    ------
    PassingError
        There is no answer, or the connection broke.
    DownloadError
        There is none to be had: a malformed URL, a redirect that is not followed.
    """
    try:
        response = _within(2 * timeout, lambda: _follow(session, url, headers, timeout))
    except (requests.Timeout, requests.ConnectionError) as error:
        raise PassingError(f"the download failed ({describe_cause(error)})") from error
    except (requests.RequestException, HTTPError, ValueError) as error:
        raise DownloadError(f"the download failed ({describe_cause(error)})") from error
    with response:
        yield response


def read_body(response: requests.Response, timeout: float) -> Iterator[bytes]:
    """Yield a body as it arrives, in pieces of at most `CHUNK` bytes.

    Raises
    ------
    PassingError
        The connection ended too soon, or nothing arrived for `timeout` seconds.
    DownloadError
        The server is slower than `LOWEST_RATE`.
    """
    start, received = time.monotonic(), 0
    try:
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield chunk
            received += len(chunk)
            if (elapsed := time.monotonic() - start) > timeout:
                if received < LOWEST_RATE * elapsed:
                    raise DownloadError(
                        f"fewer than {LOWEST_RATE:,} bytes a second for {elapsed:.0f} s"
                    )
                start, received = time.monotonic(), 0
    except (HTTPError, OSError, ValueError) as error:
        silent = f", then nothing for {timeout} s" if isinstance(error, ReadTimeoutError) else ""
        raise PassingError(silent) from error


def _follow(
    session: requests.Session, url: str, headers: dict[str, str], timeout: float
) -> requests.Response:
    for _ in range(_MOST_REDIRECTS):
        response = session.get(
            url, headers=headers, stream=True, timeout=(min(15, timeout), timeout)
        )
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        following = urljoin(url, target)
        if not is_remote(following):
            scheme = following.partition(":")[0]
            raise DownloadError(f"the server redirects to {describe_url(scheme)}:, not to http(s)")
        if url.lower().startswith("https:") and not following.lower().startswith("https:"):
            raise DownloadError(
                f"the server redirects from https to {describe_url(following)}, which anyone on the"
                " way could alter"
            )
        url = following
    raise DownloadError(f"the server redirects more than {_MOST_REDIRECTS} times")


def _within(seconds: float, function: Callable[[], requests.Response]) -> requests.Response:
    """Call a function that may take as long as a server likes, and wait so long at most.

    A timeout of the socket does not do: it begins anew with every byte of the head.
    """
    results: queue.SimpleQueue = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((function(), None))
        except Exception as error:
            results.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        response, error = results.get(timeout=seconds)
    except queue.Empty:
        raise PassingError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return response
