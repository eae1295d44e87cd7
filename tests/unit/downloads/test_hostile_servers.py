"""Servers that mean no good, or are broken: one sentence in the end, soon, and a small disk."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from serving import CERTIFICATE, Answer, serve, serve_raw, shop

from clip_grounding.downloads import remote
from clip_grounding.downloads.files import download
from clip_grounding.errors import InputError

BODY = bytes(range(256)) * 400


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Waits of milliseconds where a real download waits for seconds."""
    monkeypatch.setattr(remote, "PAUSES", (0.01,))
    monkeypatch.setattr(remote, "TIMEOUT", 0.5)
    monkeypatch.setattr(remote, "_LONGEST_PAUSE", 0.05)


def refusal_of(url, path, **expected):
    """The one sentence that a download ends with."""
    start = time.monotonic()
    with pytest.raises(InputError) as refusal:
        download([url], path, **expected)
    assert time.monotonic() - start < 10
    assert not path.exists()
    message = str(refusal.value)
    assert message.isprintable()
    return message


def download_or_refuse(url, path):
    """The sentence that a download ends with; None if it succeeds."""
    try:
        download([url], path)
    except InputError as error:
        return str(error)
    return None


def head(*headers, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def forever(connection, what, pause=0.0):
    while True:
        connection.sendall(what)
        time.sleep(pause)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_without_an_end_fills_no_disk(tmp_path, monkeypatch, chunked):
    monkeypatch.setattr(remote, "MOST_UNANNOUNCED", 1_000_000)

    def talk(connection):
        connection.sendall(head(*["Transfer-Encoding: chunked"] * chunked))
        forever(connection, b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536)

    with serve_raw(talk) as url:
        message = refusal_of(url, tmp_path / "file")
    assert "more than the expected 1,000,000 bytes: give its `size` in the config" in message
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_100_000


def test_a_body_longer_than_announced_by_the_config_fills_no_disk(tmp_path):
    with serve_raw(
        lambda connection: (connection.sendall(head()), forever(connection, BODY))
    ) as url:
        assert "more than the expected 5,000 bytes" in refusal_of(url, tmp_path / "file", size=5000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 70_000


def test_a_size_that_the_disk_has_no_room_for_is_refused_before_the_first_byte(tmp_path):
    answer = Answer(BODY, headers={"Content-Length": str(10**15)})
    with serve({"/file": answer}) as server:
        message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert f"1,000,000,000,000,000 bytes are to come): make room in {tmp_path}" in message
    assert list(tmp_path.iterdir()) == []


def test_a_byte_now_and_then_is_given_up(tmp_path):
    def talk(connection):
        connection.sendall(head("Content-Length: 100000"))
        forever(connection, b"x", pause=0.02)

    with serve_raw(talk) as url:
        assert "fewer than 1,000 bytes a second" in refusal_of(url, tmp_path / "file")


def test_a_slow_server_is_left_for_a_mirror(tmp_path):
    def talk(connection):
        connection.sendall(head("Content-Length: 100000"))
        forever(connection, b"x", pause=0.02)

    with serve_raw(talk) as slow, serve({"/file": BODY}) as server:
        download([slow, f"{server.url}/file"], tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("line", [b"", b"X-Header: y\r\n"])
def test_a_head_without_an_end_is_given_up(tmp_path, line):
    def talk(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + line)
        forever(connection, b"x", pause=0.02)

    with serve_raw(talk) as url:
        assert "no answer within 1 s" in refusal_of(url, tmp_path / "file")


def test_the_body_of_a_redirect_is_not_read(tmp_path):
    with serve({"/file": BODY}) as server:

        def talk(connection):
            connection.sendall(head(f"Location: {server.url}/file", status="302 Found"))
            forever(connection, b"x" * 65536)

        with serve_raw(talk) as url:
            download([url], tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://127.0.0.1/a", "data:,a"]
)
def test_a_redirect_to_another_scheme_is_not_followed(tmp_path, location):
    answer = Answer(status=302, headers={"Location": location})
    with serve({"/file": answer}) as server:
        message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert "the server redirects to" in message
    assert "not to http(s)" in message


def test_a_redirect_from_https_to_http_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with serve({"/file": BODY}) as plain:
        answer = Answer(status=301, headers={"Location": f"{plain.url}/file"})
        with serve({"/file": answer}, tls=True) as server:
            message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert f"the server redirects from https to {plain.url}/file" in message
    assert plain.log == []


def test_a_circle_of_redirects_ends(tmp_path):
    answer = Answer(status=302, headers={"Location": "/file"})
    with serve({"/file": answer}) as server:
        message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert "redirects more than 10 times" in message


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path):
    with serve({"/file": BODY}, tls=True) as server:
        message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert "certificate verify failed" in message


@pytest.mark.parametrize("length", ["²", "-5", "9" * 40, "5, 6", "0x10", " ", "1e3", "102400.0"])
def test_an_odd_length_is_no_traceback(tmp_path, length):
    with serve_raw(head(f"Content-Length: {length}".encode().decode("latin-1")) + BODY) as url:
        message = download_or_refuse(url, tmp_path / "file")
    assert message is not None or (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    "after", ["²", "soon", "-1", "9" * 40, "1e999", "Wed, 21 Oct 2026 07:28:00"]
)
def test_an_odd_retry_after_is_no_traceback(tmp_path, after):
    header = f"Retry-After: {after}".encode().decode("latin-1")
    with serve_raw(head(header, "Content-Length: 0", status="503 Busy")) as url:
        assert "the server answered 503 (Busy); 1 more tries" in refusal_of(url, tmp_path / "file")


def test_escape_codes_of_a_server_do_not_reach_the_terminal(tmp_path, capsys):
    answer = head("Content-Length: 0", status="503 \x1b[2J\x1b]0;owned\x07" + "x" * 5000)
    with serve_raw(answer) as url:
        message = refusal_of(url, tmp_path / "file")
    assert r"503 (\x1b[2J" in message
    assert len(message) < 500
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "part",
    [
        "bytes 50-{last}/{size}",
        "bytes 0-{last}/{size}",
        "bytes 1000-{last}/1000",
        "bytes 1000-10/{size}",
        "bytes ²-{last}/{size}",
        "bytes 1000-{last}/" + "9" * 40,
        "bytes */{size}",
        "bytes",
        "",
    ],
)
def test_a_lying_content_range_is_refused(tmp_path, part):
    lie = part.format(last=len(BODY) - 1, size=len(BODY)).encode().decode("latin-1")
    liar = Answer(BODY[1000:], 206, headers={"ETag": '"v1"', "Content-Range": lie})
    with serve({"/file": [shop(BODY, cut=1000), liar]}) as server:
        message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert "the server sent another part than the one asked for" in message


def test_a_part_longer_than_was_asked_for_is_refused(tmp_path):
    total = len(BODY)
    headers = {"ETag": '"v1"', "Content-Range": f"bytes 0-0/{total}", "Content-Length": str(total)}
    with serve({"/file": Answer(BODY, 206, headers=headers)}) as server:
        file = remote.RemoteFile(f"{server.url}/file", tmp_path / "file.part", checked=True)
        with file, pytest.raises(Exception, match="sent more than the part asked for"):
            file.fetch_spans([(0, 1)])
    assert not (tmp_path / "file.part").exists()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate", "gzip, identity", "x-y"])
def test_a_compressed_body_is_refused_unread(tmp_path, encoding):
    answer = Answer(BODY, headers={"Content-Encoding": encoding})
    with serve({"/file": answer}) as server:
        message = refusal_of(f"{server.url}/file", tmp_path / "file")
    assert "the server sent it compressed, which was not asked for" in message


ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda data: b"HTTP/1.1 " + data),
    st.tuples(
        st.sampled_from([b"200 OK", b"206 Partial", b"302 Found", b"416 No", b"503 Busy"]),
        st.lists(
            st.tuples(
                st.sampled_from(
                    [b"Content-Length", b"Content-Range", b"Location", b"Transfer-Encoding",
                     b"ETag", b"Content-Type", b"Last-Modified", b"Set-Cookie"]
                ),
                st.binary(max_size=30) | st.sampled_from([b"chunked", b"5", b"//", b"http://["]),
            ),
            max_size=4,
        ),
        st.binary(max_size=100),
    ).map(
        lambda parts: b"HTTP/1.1 " + parts[0] + b"\r\n"
        + b"".join(name + b": " + value + b"\r\n" for name, value in parts[1])
        + b"\r\n" + parts[2]
    ),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
@example(b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n")
@example(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n")
@example(b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 70 + b"/\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc")
@example(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n")
@example(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")
@example(b"HTTP/1.1 999999 \r\n\r\n")
def test_no_bytes_of_a_server_are_a_traceback(tmp_path_factory, answer):
    path = tmp_path_factory.mktemp("answers") / "file"
    with serve_raw(answer) as url:
        message = download_or_refuse(url, path)
    assert path.exists() == (message is None)
    assert message is None or message.isprintable()
