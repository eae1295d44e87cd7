"""Read one response of a server: redirects, deadlines and the body as it arrives.

Nothing that a server sends is trusted to end: neither the headers, nor a chain of redirects, nor
a body. Credentials come from netrc, separately for each host.
"""

import queue
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from clip_grounding.downloads.answers import DownloadError, PassingError, describe_cause
from clip_grounding.downloads.urls import describe_url, is_remote

LOWEST_RATE = 1000
"""Bytes per second below which a server is given up for the next one."""

CHUNK = 1 << 16
"""The largest number of bytes read at a time."""

_MOST_REDIRECTS = 10


class _Session(requests.Session):
    """A session that follows no redirect by itself, which would read the redirect's whole body."""

    def resolve_redirects(self, *_, **__) -> Generator[requests.Response, None, None]:
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
    """Yield the response to a request, after redirects and before its body is read.

    Raises
    ------
    PassingError
        There is no response, or the connection broke.
    DownloadError
        No attempt can succeed: the URL is malformed, or a redirect is not followed.
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
        The connection ended too early, or nothing arrived for `timeout` seconds.
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
    """Call a function that a server may delay, and wait at most `seconds` for it.

    A socket timeout does not suffice: it starts anew with every byte of the headers.
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
