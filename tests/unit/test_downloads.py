"""Downloads: the right file in the end, or one clear error and nothing under the final name."""

import hashlib

import pytest
from serving import Answer, serve

from clip_grounding.downloads import download
from clip_grounding.errors import InputError

BODY = b"narratives" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


def assert_nothing_is_left(folder):
    assert list(folder.iterdir()) == []


def test_a_served_file_arrives_whole(tmp_path):
    path = tmp_path / "data" / "images.zip"
    with serve({"/images.zip": BODY}) as server:
        download(f"{server.url}/images.zip", path, len(BODY), SHA256)
    assert path.read_bytes() == BODY
    assert not path.is_symlink()
    assert list(path.parent.iterdir()) == [path]


def test_a_redirect_is_followed(tmp_path):
    answers = {"/old": Answer(status=302, headers={"Location": "/new"}), "/new": BODY}
    with serve(answers) as server:
        download(f"{server.url}/old", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    ("answer", "expected", "problem"),
    [
        (Answer(status=404), {}, "the server answered 404"),
        (Answer(BODY, status=503), {}, "the server answered 503"),
        (Answer(BODY, status=206), {}, "the server answered 206, 200 was expected"),
        (
            Answer(BODY, headers={"Content-Length": "20000"}),
            {},
            "the connection ended after 10,000 of 20,000 bytes",
        ),
        (Answer(), {}, "empty"),
        (BODY, {"size": 9}, "the server has 10,000 bytes, 9 were expected"),
        (BODY, {"sha256": "0" * 64}, f"its sha256 is {SHA256}, {'0' * 64} was expected"),
    ],
)
def test_a_bad_answer_is_refused_and_leaves_nothing(tmp_path, answer, expected, problem):
    with serve({"/file": answer}) as server:
        url = f"{server.url}/file"
        with pytest.raises(InputError) as refusal:
            download(url, tmp_path / "file", **expected)
    message = str(refusal.value)
    assert message.startswith(f"{url}: {problem}")
    assert f"give its path as the url of {tmp_path / 'file'}" in message
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("size", "problem"), [(9, "more than the expected 9 bytes"), (20000, "10,000 bytes, 20,000")]
)
def test_the_size_is_checked_without_an_announced_length(tmp_path, size, problem):
    # A body without Content-Length ends with the connection.
    answer = Answer(BODY, headers={"Content-Length": None})
    with serve({"/file": answer}) as server, pytest.raises(InputError, match=problem):
        download(f"{server.url}/file", tmp_path / "file", size=size)
    assert_nothing_is_left(tmp_path)


def test_a_server_that_is_gone_is_named(tmp_path):
    with serve({}) as server:
        url = f"{server.url}/file"
    with pytest.raises(InputError, match=f"{url}: the download failed .*refused"):
        download(url, tmp_path / "file")


def test_a_failed_download_keeps_the_file_that_was_there(tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    with serve({}) as server, pytest.raises(InputError):
        download(f"{server.url}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.parametrize("form", ["plain", "relative", "file"])
def test_a_local_file_is_linked(tmp_path, monkeypatch, form):
    source = tmp_path / "my images.zip"
    source.write_bytes(BODY)
    monkeypatch.chdir(tmp_path)
    url = {"plain": str(source), "relative": "my images.zip", "file": source.as_uri()}[form]
    path = tmp_path / "data" / "images.zip"
    download(url, path, len(BODY), SHA256)
    assert path.is_symlink()
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"size": 9}, "more than the expected 9 bytes"),
        ({"size": 20000}, "10,000 bytes, 20,000 were expected"),
        ({"sha256": "0" * 64}, "its sha256 is"),
    ],
)
def test_a_local_file_that_differs_is_refused(tmp_path, expected, problem):
    source = tmp_path / "mine.zip"
    source.write_bytes(BODY)
    with pytest.raises(InputError, match=f"{source}: {problem}.* put the right file there"):
        download(str(source), tmp_path / "data" / "images.zip", **expected)
    assert_nothing_is_left(tmp_path / "data")


def test_a_local_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.zip: not readable \(No such file"):
        download("absent.zip", tmp_path / "images.zip")
    assert_nothing_is_left(tmp_path)
