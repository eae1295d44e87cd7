"""Downloads: the right file in the end, or one clear error and nothing under the final name."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from serving import Answer, serve, shop

from clip_grounding.downloads import remote
from clip_grounding.downloads.files import download
from clip_grounding.errors import InputError

BODY = bytes(range(256)) * 4000  # a megabyte
SHA256 = hashlib.sha256(BODY).hexdigest()
PAGE = b"<!DOCTYPE html><html>Please log in</html>"
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Waits of milliseconds where a real download waits for seconds."""
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01, 0.01))
    monkeypatch.setattr(remote, "TIMEOUT", 0.5)


def assert_nothing_is_left(folder):
    assert list(folder.iterdir()) == []


def fetch(server, path, **expected):
    download([f"{server.url}/file"], path, **expected)


def test_a_served_file_arrives_whole(tmp_path):
    path = tmp_path / "data" / "images.zip"
    with serve({"/file": BODY}) as server:
        fetch(server, path, size=len(BODY), sha256=SHA256)
    assert path.read_bytes() == BODY
    assert not path.is_symlink()
    assert list(path.parent.iterdir()) == [path]
    assert server.requests == [("GET", "/file")]


def test_a_redirect_is_followed(tmp_path):
    answers = {"/file": Answer(status=302, headers={"Location": "/new"}), "/new": BODY}
    with serve(answers) as server:
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    "first",
    [
        Answer(status=500),
        Answer(status=503, headers={"Retry-After": "0"}),
        Answer(status=429),
        Answer(status=0),  # hangs up without a word
        shop(BODY, cut=300_000),
        shop(BODY, cut=0),
        shop(BODY, stall=300_000),
        Answer(BODY, cut=300_000),  # can neither resume nor say which version it has
    ],
    ids=["500", "503", "429", "silence", "cut", "cut at once", "stall", "cut, no resuming"],
)
@pytest.mark.parametrize("expected", [{}, {"sha256": SHA256}], ids=["unchecked", "checked"])
def test_a_passing_failure_is_tried_again(tmp_path, first, expected):
    then = shop(BODY) if first.ranges else Answer(BODY)
    with serve({"/file": [first, then]}) as server:
        fetch(server, tmp_path / "file", **expected)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert len(server.log) <= 3


def test_a_cut_body_is_continued_where_it_ended(tmp_path):
    with serve({"/file": [shop(BODY, cut=300_000), shop(BODY, cut=300_000), shop(BODY)]}) as server:
        fetch(server, tmp_path / "file", sha256=SHA256)
    assert [request.range for request in server.log] == [
        None,
        "bytes=300000-",
        "bytes=600000-",
    ]
    assert server.sent == len(BODY)


def test_progress_earns_new_tries(tmp_path):
    with serve({"/file": shop(BODY, cut=100_000)}) as server:
        fetch(server, tmp_path / "file", sha256=SHA256)
    assert len(server.log) == 11
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_server_that_never_gets_further_is_given_up(tmp_path):
    with (
        serve({"/file": Answer(BODY, cut=100_000)}) as server,
        pytest.raises(InputError, match=r"does not resume|ended after 100,000 of 1,024,000"),
    ):
        fetch(server, tmp_path / "file")
    assert len(server.log) < 10
    assert not (tmp_path / "file").exists()


def test_a_file_that_changes_midway_starts_over(tmp_path):
    new = BODY[::-1]
    with serve({"/file": [shop(BODY, cut=300_000), shop(new, '"v2"')]}) as server:
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == new


def test_a_change_that_the_server_hides_from_if_range_is_seen(tmp_path):
    class Careless(dict):  # an ETag that answers whatever If-Range says
        def get(self, key, default=None):
            return default if key == "ETag" else super().get(key, default)

    new = BODY[::-1]
    careless = Answer(new, headers=Careless(ETag='"v2"'), ranges=True)
    with serve({"/file": [shop(BODY, cut=300_000), careless]}) as server:
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == new


def test_a_later_run_continues_an_earlier_one(tmp_path):
    path = tmp_path / "file"
    answers = {"/file": [shop(BODY, cut=300_000), Answer(status=500)]}
    with serve(answers) as server:
        with pytest.raises(InputError, match=r"answered 500.*3 more tries did not help"):
            fetch(server, path)
        assert not path.exists()
        answers["/file"] = shop(BODY)
        before = len(server.log)
        fetch(server, path)
    assert path.read_bytes() == BODY
    assert server.log[before].range == "bytes=300000-"


def test_a_file_that_changed_since_the_earlier_run_starts_over(tmp_path):
    answers = {"/file": [shop(BODY, cut=300_000), Answer(status=404)]}
    with serve(answers) as server:
        with pytest.raises(InputError, match="404"):
            fetch(server, tmp_path / "file")
        answers["/file"] = shop(BODY[::-1], '"v2"')
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY[::-1]


def test_wrong_bytes_of_an_earlier_run_are_fetched_again(tmp_path):
    answers = {"/file": [shop(b"x" * len(BODY), cut=300_000), Answer(status=404)]}
    with serve(answers) as server:
        with pytest.raises(InputError, match="404"):
            fetch(server, tmp_path / "file", sha256=SHA256)
        answers["/file"] = shop(BODY)
        fetch(server, tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("cut", [70_000, 700_000])
def test_a_mirror_continues_what_another_began(tmp_path, cut):
    with (
        serve({"/file": [shop(BODY, cut=cut), Answer(status=500)]}) as gone,
        serve({"/file": shop(BODY, '"other"')}) as mirror,
    ):
        urls = [f"{gone.url}/file", f"{mirror.url}/file"]
        download(urls, tmp_path / "file", size=len(BODY), sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    assert mirror.sent == len(BODY) - cut


def test_mirrors_are_tried_in_order(tmp_path):
    answers = {"/a": Answer(status=404), "/b": PAGE, "/c": BODY, "/d": BODY}
    with serve(answers) as server:
        download([f"{server.url}/{name}" for name in "abcd"], tmp_path / "file", sha256=SHA256)
    assert [path for _, path in server.requests] == ["/a", "/b", "/c"]


def test_every_mirror_that_failed_is_named(tmp_path):
    with serve({"/a": PAGE}) as server, pytest.raises(InputError) as refusal:
        download([f"{server.url}/a", f"{server.url}/b"], tmp_path / "file")
    message = str(refusal.value)
    assert f"{server.url}/a: the server sent a web page" in message
    assert f"{server.url}/b: the server answered 404" in message
    assert message.count("run again") == 1


@pytest.mark.parametrize(
    ("answer", "expected", "problem"),
    [
        (Answer(status=404), {}, "the server answered 404"),
        (Answer(status=403), {}, "the server answered 403"),
        (Answer(BODY, status=206), {}, "the server answered 206, 200 was expected"),
        (Answer(), {}, "empty"),
        (PAGE, {}, "the server sent a web page, not the file"),
        (
            Answer(b"Log in", headers={"Content-Type": "text/html; charset=utf-8"}),
            {},
            "the server sent a web page, not the file: a login page or a captive portal?",
        ),
        (
            Answer(BODY, headers={"Content-Encoding": "gzip"}),
            {},
            "the server sent it compressed",
        ),
        (BODY, {"size": 9}, "the server has 1,024,000 bytes, 9 were expected"),
        (
            Answer(BODY, headers={"Content-Length": "5000"}),
            {"sha256": SHA256},
            f"its sha256 is {hashlib.sha256(BODY[:5000]).hexdigest()}, {SHA256} was expected",
        ),
        (BODY, {"sha256": "0" * 64}, f"its sha256 is {SHA256}, {'0' * 64} was expected"),
    ],
)
def test_a_bad_answer_is_refused_and_leaves_nothing(tmp_path, answer, expected, problem):
    with serve({"/file": answer}) as server, pytest.raises(InputError) as refusal:
        fetch(server, tmp_path / "file", **expected)
    message = str(refusal.value)
    assert message.startswith(f"{server.url}/file: {problem}")
    assert "give their folder as `published_metrics` in the config" in message
    assert not (tmp_path / "file").exists()
    assert not (tmp_path / "file.part").exists() or (tmp_path / "file.part").stat().st_size == 0


def test_a_length_that_is_too_long_is_refused(tmp_path):
    with (
        serve({"/file": Answer(BODY, headers={"Content-Length": "2000000"})}) as server,
        pytest.raises(InputError, match="1,024,000 of 2,000,000 bytes"),
    ):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("name", ["a.zip", "a.json"])
def test_a_length_that_is_too_short_is_seen_by_the_format(tmp_path, name):
    body = {"a.zip": b"PK\x03\x04" + BODY, "a.json": b"[" + b"1," * 9000 + b"1]"}[name]
    with (
        serve({"/file": Answer(body, headers={"Content-Length": "5000"})}) as server,
        pytest.raises(InputError, match=r"not a complete (zip|JSON)"),
    ):
        fetch(server, tmp_path / name)
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (9, "more than the expected 9 bytes"),
        (2_000_000, "ended after 1,024,000 of 2,000,000 bytes"),
    ],
)
def test_the_size_is_checked_without_an_announced_length(tmp_path, size, problem):
    # A body without Content-Length ends with the connection.
    answer = Answer(BODY, headers={"Content-Length": None})
    with serve({"/file": answer}) as server, pytest.raises(InputError, match=problem):
        fetch(server, tmp_path / "file", size=size)
    assert not (tmp_path / "file").exists()


def test_a_body_without_an_announced_length_arrives(tmp_path):
    with serve({"/file": Answer(BODY, headers={"Content-Length": None})}) as server:
        fetch(server, tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_server_that_is_gone_is_named(tmp_path):
    with serve({}) as server:
        url = f"{server.url}/file"
    with pytest.raises(InputError, match=f"{url}: the download failed .*refused"):
        download([url], tmp_path / "file")


@pytest.mark.parametrize("url", ["http://", "http://[::1", "https://127.0.0.1:99999/a"])
def test_a_malformed_url_is_named(tmp_path, url):
    with pytest.raises(InputError, match="the download failed"):
        download([url], tmp_path / "file")


def test_a_failed_download_keeps_the_file_that_was_there(tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    with serve({}) as server, pytest.raises(InputError):
        fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_disk_that_is_full_is_no_fault_of_the_server(tmp_path, monkeypatch):
    (tmp_path / "file.part").symlink_to("/dev/full")
    with (
        serve({"/file": shop(BODY)}) as server,
        pytest.raises(InputError, match=r"cannot be written .No space left on device"),
    ):
        fetch(server, tmp_path / "file")
    assert len(server.log) == 1


def test_a_killed_download_is_continued_from_the_bytes_that_are_there(tmp_path):
    program = (
        "import sys; from clip_grounding.downloads.files import download;"
        " download([sys.argv[1]], sys.argv[2])"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow_scripts")}
    answers = {"/file": shop(BODY, stall=500_000)}
    with serve(answers) as server:
        command = [sys.executable, "-c", program, f"{server.url}/file", str(tmp_path / "file")]
        process = subprocess.Popen(command, env=environment)
        notes = tmp_path / "file.part.json"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not notes.exists():
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "file").exists()
        answers["/file"] = shop(BODY)
        fetch(server, tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    resumed = int(server.log[-1].range.removeprefix("bytes=").removesuffix("-"))
    assert 0 < resumed <= 500_000
    assert server.log[-1].sent == len(BODY) - resumed


@pytest.mark.parametrize("form", ["plain", "relative", "file"])
def test_a_local_file_is_linked(tmp_path, monkeypatch, form):
    source = tmp_path / "my images.zip"
    source.write_bytes(BODY)
    monkeypatch.chdir(tmp_path)
    url = {"plain": str(source), "relative": "my images.zip", "file": source.as_uri()}[form]
    path = tmp_path / "data" / "images.zip"
    download([url], path, len(BODY), SHA256)
    assert path.is_symlink()
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"size": 9}, "1,024,000 bytes, 9 were expected"),
        ({"sha256": "0" * 64}, "its sha256 is"),
    ],
)
def test_a_local_file_that_differs_is_refused(tmp_path, expected, problem):
    source = tmp_path / "mine.zip"
    source.write_bytes(BODY)
    with pytest.raises(InputError, match=f"{source}: {problem}.* put the right file there"):
        download([str(source)], tmp_path / "images.zip", **expected)
    assert not (tmp_path / "images.zip").exists()


def test_a_local_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.zip: not readable \(No such file"):
        download(["absent.zip"], tmp_path / "images.zip")
    assert_nothing_is_left(tmp_path)
