"""A proxy on a loopback port that notes what clients send to a server, and passes it on."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import attrs

_HOPS = {"connection", "transfer-encoding", "content-length", "keep-alive", "host", "expect"}


@attrs.frozen
class Sent:
    """One request.

    Attributes:
        method: such as ``POST``.
        path: such as ``/api/chat``.
        body: its JSON; bytes where it is none, None where it is empty.
    """

    method: str
    path: str
    body: Any


class Recorder:
    """What has been sent.

    Attributes:
        url: where clients find the server.
        sent: all requests, in the order of their arrival.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: list[Sent] = []

    def take(self) -> list[Sent]:
        """What was sent since the last call."""
        taken, self.sent = self.sent, []
        return taken


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target)
        self.recorder = Recorder(f"http://127.0.0.1:{self.server_address[1]}")

    def handle_error(self, *_: object) -> None:
        """A client that has left is no error."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        body = self._read()
        self.server.recorder.sent.append(Sent(self.command, self.path, _as_json(body)))
        target = self.server.target
        assert target.hostname is not None
        server = http.client.HTTPConnection(target.hostname, target.port or 80, timeout=30)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOPS}
            # The simulator is no ollama.com: it only relays to it.
            path = self.path.replace("/api/web_", "/api/experimental/web_")
            server.request(self.command, path, body or None, headers)
            self._answer(server.getresponse())
        finally:
            server.close()

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOPS:
                self.send_header(name, value)
        if self.command == "HEAD":
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while data := answer.read1(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except (http.client.HTTPException, ConnectionError):
            self.close_connection = True  # cut there, so cut here
            return
        self.wfile.write(b"0\r\n\r\n")

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


for _method in ("GET", "POST", "DELETE", "HEAD"):
    setattr(_Handler, f"do_{_method}", _Handler._pass_on)


@contextmanager
def recording(target: str) -> Iterator[Recorder]:
    """Stand before a server, for the time of a block."""
    with _Server(target) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.recorder
        finally:
            server.shutdown()
            thread.join()


def _as_json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body
