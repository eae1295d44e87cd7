"""A web server on 127.0.0.1 for tests: it answers what the test says and notes what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Answer:
    """A response; `headers` overrule the body's own Content-Length, None leaves it out."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Server:
    """A running server: its address and the requests so far, as (method, path)."""

    url: str
    requests: list[tuple[str, str]]


@contextmanager
def serve(answers: dict[str, bytes | Answer]) -> Iterator[Server]:
    """Serve `answers` by path, without the query; 404 for any other path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests.append((self.command, self.path))
            answer = answers.get(self.path.partition("?")[0], Answer(b"not here", status=404))
            if isinstance(answer, bytes):
                answer = Answer(answer)
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body)

        do_HEAD = do_GET  # noqa: N815 (the name that http.server calls)

        def log_message(self, *_):
            pass  # requests are noted in the server

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{httpd.server_port}", [])
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
