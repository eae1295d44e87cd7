"""A web server on 127.0.0.1 for tests: it answers, and fails, as the test says."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

CERTIFICATE = Path(__file__).parents[1] / "data" / "loopback.pem"
"""Key and certificate of 127.0.0.1; clients trust it by REQUESTS_CA_BUNDLE."""


@dataclass
class Answer:
    """A response; `headers` overrule the body's own Content-Length, None leaves one out.

    `ranges` answers Range (and If-Range, by the ETag in `headers`) as servers do. The connection
    is closed after `cut` bytes of the body, goes silent after `stall` bytes, or is closed without
    a word if `status` is 0.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    ranges: bool = False
    cut: int | None = None
    stall: int | None = None


@dataclass
class Request:
    """A request that the server has had, and the bytes of body that it sent."""

    method: str
    path: str
    range: str | None
    authorization: str | None = None
    sent: int = 0


@dataclass
class Server:
    """A running server: its address and the requests so far."""

    url: str
    log: list[Request] = field(default_factory=list)

    @property
    def requests(self) -> list[tuple[str, str]]:
        """The requests as (method, path)."""
        return [(request.method, request.path) for request in self.log]

    @property
    def sent(self) -> int:
        """Bytes of body sent in all."""
        return sum(request.sent for request in self.log)


def shop(body: bytes, etag: str = '"v1"', **behaviour) -> Answer:
    """An answer of a server that does everything right: Range, If-Range and ETag."""
    return Answer(body, headers={"ETag": etag}, ranges=True, **behaviour)


@contextmanager
def serve(answers: dict[str, bytes | Answer | list[Answer]], tls: bool = False) -> Iterator[Server]:
    """Serve `answers` by path, with the query or without; 404 for any other path.

    Of a list, every request takes the next answer, and the last one stays. `tls` serves https.
    """
    closing = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path if self.path in answers else self.path.partition("?")[0]
            request = Request(
                self.command,
                self.path,
                self.headers.get("Range"),
                self.headers.get("Authorization"),
            )
            server.log.append(request)
            answer = answers.get(path, Answer(b"not here", status=404))
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, bytes):
                answer = Answer(answer)
            if answer.status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, headers, body = self.select(answer)
            self.send_response(status)
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.send_body(answer, body, request)

        do_HEAD = do_GET  # noqa: N815 (the name that http.server calls)

        def select(self, answer):
            """Status, headers and body, of the part that was asked for."""
            body, headers = answer.body, {}
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            other = self.headers.get("If-Range", answer.headers.get("ETag"))
            if not (answer.ranges and asked and other == answer.headers.get("ETag")):
                return answer.status, {"Content-Length": str(len(body)), **answer.headers}, body
            start, stop = int(asked[1]), min(int(asked[2] or len(body)) + 1, len(body))
            if start >= len(body):
                return 416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"}, b""
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
            headers["Content-Length"] = str(stop - start)
            return 206, {**headers, **answer.headers}, body[start:stop]

        def send_body(self, answer, body, request):
            limit = min(n for n in (answer.cut, answer.stall, len(body)) if n is not None)
            try:
                for start in range(0, limit, 1 << 16):
                    part = body[start : min(start + (1 << 16), limit)]
                    self.wfile.write(part)
                    request.sent += len(part)
            except OSError:
                return  # the other side has hung up
            if answer.stall is not None and limit < len(body):
                closing.wait(60)
            if limit < len(body):
                self.close_connection = True

        def log_message(self, *_):
            pass  # requests are noted in the server

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    server = Server(f"http{'s' if tls else ''}://127.0.0.1:{httpd.server_port}")
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        closing.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@contextmanager
def serve_raw(answer: bytes | Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve every request with these bytes, whatever they are; gives the URL.

    A function gets the connection, to do to it what it likes until the other side hangs up.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(20)
            while b"\r\n\r\n" not in connection.recv(1 << 16):
                pass
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1 << 16)  # so that what was sent is not reset on its way

    def accept() -> None:
        with suppress(OSError):
            while True:
                Thread(target=talk, args=[listener.accept()[0]], daemon=True).start()

    Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
