"""Show URLs safely, find the ones that hold a secret, and name stored files.

Credentials belong in netrc, which the HTTP client reads by itself: a URL of the config ends up in
Snakemake's records, in logs and in messages.
"""

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

NETRC = "put the login into ~/.netrc (or a file named by the environment variable NETRC)"
"""The remedy: the place that credentials are read from instead."""

_SECRET = re.compile(
    r"""(.*[-_.])?(key|sig|auth|pass|pwd|pw|sas|jwt|credentials?)
    | .*(token|secret|password|passwd|signature|credential|api[-_.]?key|access[-_.]?key|session
        |bearer|authorization).*
    | .*keyid | key[-_.]?pair[-_.]?id
    | x-(amz|goog|ms|oss|cos)-.*""",
    re.VERBOSE | re.IGNORECASE,
)
_LONGEST_NAME = 80


def is_remote(url: str) -> bool:
    """Return whether a file is on a server, not on this machine."""
    return url.lower().startswith(("http://", "https://"))


def why_secret(url: str) -> str | None:
    """Return what in a URL looks like a secret and what to do instead; None if nothing does.

    The result holds neither a value of the query nor a login.
    """
    rest = url.partition("://")[2]
    authority, tail = _cut(rest, "/?#")
    query = _cut(tail, "?")[1]
    if "@" in authority:
        return f"the URL holds a login (user:password@): {NETRC}"
    names = [name for name, _ in parse_qsl(query[1:].replace(";", "&"), keep_blank_values=True)]
    for name in names:
        if _SECRET.fullmatch(name):
            return (
                f"the URL's query has `{printable(name)}`, which looks like a secret: take it out"
                f" and {NETRC}, or fetch the file by hand and give its path"
            )
    return None


def _cut(text: str, marks: str) -> tuple[str, str]:
    """Cut a text in two before the first of some characters."""
    place = min((text.find(mark) for mark in marks if mark in text), default=len(text))
    return text[:place], text[place:]


def describe_url(url: str) -> str:
    """Return a URL fit for messages: without a login, and with a digest in place of the query."""
    if not is_remote(url):
        return printable(url, len(url) * 10)
    scheme, _, rest = url.partition("://")
    authority, following = _cut(rest, "/?#")
    path, tail = _cut(following, "?#")
    query = f"?…{_digest(tail)}" if tail.startswith("?") else ""
    shown = f"{scheme}://{authority.rpartition('@')[2]}{path}{query}"
    return printable(shown, len(shown) * 10)


def hide_secrets(text: str) -> str:
    """Return a message with the logins and queries of the URLs in it left out."""
    text = re.sub(r"(://)[^\s/?#\"'@]*(?:@[^\s/?#\"'@]*)*@", r"\1…@", text)
    return re.sub(r"((?:://|url: /)[^\s?\"']*\?)[^\s\"')]+", r"\1…", text)


def printable(text: str, longest: int = 500) -> str:
    """Return untrusted text fit for a terminal: one line, control characters escaped."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= longest else f"{safe[: longest - 1]}…"


def plain_name(url: str) -> str:
    """Return the last part of a URL as a file name: the published name in safe characters."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", unquote(path.rpartition("/")[2])).lstrip("._-")
    suffix = PurePosixPath(name).suffix[:10]
    return name.removesuffix(suffix)[: _LONGEST_NAME - len(suffix)] + suffix or "file"


def stored_name(url: str) -> str:
    """Return the name under which a download is kept, which no two URLs share.

    ``https://example.org/a/data.zip`` gives ``data-3b9f0c9d52ab.zip``: the published name with a
    digest of the whole URL.
    """
    name = PurePosixPath(plain_name(url))
    return f"{name.stem}-{_digest(url)}{name.suffix}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
