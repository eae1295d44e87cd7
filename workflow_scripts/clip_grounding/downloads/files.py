"""Fetch one file from the first of several places that has it: complete and checked, or absent.

A download grows under its name plus ``.part``, which the last step removes; a later
attempt resumes where it ended.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from clip_grounding.downloads.answers import DownloadError
from clip_grounding.downloads.remote import RemoteFile
from clip_grounding.downloads.urls import describe_url, is_remote, printable
from clip_grounding.downloads.zips import Archive, ArchiveError, read_json
from clip_grounding.errors import InputError, describe_unwritable
from clip_grounding.files import digest_file, replacing


def download(
    urls: list[str],
    path: str | Path,
    size: int | None = None,
    sha256: str | None = None,
) -> None:
    """Fetch a file to `path`; a file on this machine is linked, not copied.

    Parameters
    ----------
    urls : list of str
        Where the file is, tried in order: ``http(s)://``, ``file://``, or paths, relative to
        the working directory.
    path : str or Path
        The file to make; it appears only when it is complete and as expected.
    size : int, optional
        Its size in bytes.
    sha256 : str, optional
        Its SHA-256 checksum in lowercase hexadecimal digits.

    Raises
    ------
    InputError
        No place has the file that is expected. `path` stays as it was.
    """
    path, problems = Path(path), {}
    for url in urls:
        source = local_path(url)
        try:
            if source is None:
                fetch_whole(url, path, size, sha256)
            else:
                check_file(source, size, sha256)
                if sha256 is None:
                    check_content(source, path.suffix)
                link(source, path)
        except DownloadError as problem:
            problems[describe_url(url) if source is None else str(source)] = problem
        else:
            return
    if any(local_path(url) is None for url in urls):
        remedy = (
            "run again to go on where it ended, or fetch the files by hand and give their folder as"
            " `published_metrics` in the config"
        )
    else:
        remedy = "put the right file there, or correct `published_metrics` in the config"
    raise describe_failure(problems, remedy)


def describe_failure(problems: dict[str, DownloadError], remedy: str) -> InputError:
    """Return the error that lists what was wrong with every place, and the remedy."""
    places = "\n  ".join(f"{place}: {problem}" for place, problem in problems.items())
    return InputError(f"{places}: {remedy}" if len(problems) == 1 else f"{places}\n{remedy}")


def local_path(url: str) -> Path | None:
    """Return the absolute path of a file on this machine, None for a server's."""
    if is_remote(url):
        return None
    if url.startswith("file://"):
        return Path(url2pathname(urlsplit(url).path)).absolute()
    return Path(url).expanduser().absolute()


def link(source: Path, path: Path, relative: bool = False) -> None:
    """Make `path` a link to `source`; a relative link stays valid when both are moved."""
    target = os.path.relpath(source, path.parent.absolute()) if relative else source
    with replacing(path) as temporary:
        temporary.symlink_to(target)


def fetch_whole(
    url: str, path: Path, size: int | None, sha256: str | None, suffix: str | None = None
) -> str:
    """Download a server's whole file to `path`; return its sha256.

    Without `sha256`, the content is checked as far as its format allows: every member of a zip,
    all of a JSON. `suffix` says which format it has, by default the one of `path`.

    Raises
    ------
    DownloadError
        The server does not send the expected file; valid bytes so far are kept.
    """
    part = path.with_name(f"{path.name}.part")
    with RemoteFile(url, part, size, checked=sha256 is not None) as remote:
        try:
            while True:
                resumed = remote.here > 0
                remote.fetch_all()
                try:
                    digest = remote.digest()
                    _check(digest, remote.here, size, sha256)
                    if sha256 is None:
                        check_content(part, path.suffix if suffix is None else suffix)
                except DownloadError:
                    remote.forget()
                    if not resumed:
                        remote.delete()
                        raise  # all of it has just come from this server
                else:
                    break
            remote.keep_as(path)
        except OSError as error:
            raise describe_unwritable(path, error) from error
    return digest


def check_file(path: Path, size: int | None = None, sha256: str | None = None) -> str | None:
    """Compare a local file with what is expected; return its sha256 if one is expected.

    Raises
    ------
    DownloadError
        It is missing, or another file.
    """
    try:
        if path.is_dir():
            raise DownloadError("a folder, where a file is needed")
        actual = path.stat().st_size
        if size is not None and actual != size:
            raise DownloadError(f"{actual:,} bytes, {size:,} were expected")
        digest = None if sha256 is None else digest_file(path)
        _check(digest, actual, size, sha256)
    except OSError as error:
        raise DownloadError(f"not readable ({error.strerror})") from error
    return digest


def _check(digest: str | None, actual: int, size: int | None, sha256: str | None) -> None:
    if actual == 0:
        raise DownloadError("empty")
    if size is not None and actual != size:
        raise DownloadError(f"{actual:,} bytes, {size:,} were expected")
    if sha256 is not None and digest != sha256:
        raise DownloadError(f"its sha256 is {digest}, {sha256} was expected")


def check_content(path: Path, suffix: str) -> None:
    """Read a zip or JSON from end to end, where no checksum tells whether it is complete.

    Raises
    ------
    DownloadError
        It is damaged, or not of its format. Files of other formats are not examined.
    """
    try:
        if suffix == ".zip":
            with Archive(path, str(path)) as archive:
                archive.check()
        if suffix == ".json":
            read_json(path.read_bytes(), keep=False)
    except ArchiveError as error:
        raise DownloadError(f"not a complete zip ({printable(error.problem)})") from error
    except ValueError as error:
        raise DownloadError(f"not a complete JSON{printable(str(error))}") from error
    except OSError as error:
        raise DownloadError(f"not readable ({error.strerror})") from error
