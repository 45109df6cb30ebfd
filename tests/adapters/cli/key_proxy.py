"""A proxy in front of a simulated server that lets only those through who show what it wants."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import attrs

KEY = "s3cret-0123456789"
"""What it wants; what must be found nowhere else."""


@attrs.define
class KeyProxy:
    """What there is to know of it.

    Attributes:
        url: its address.
        behind: that of the server behind it.
        wants: a header that must be there, and its value.
        asked: path and headers of each request, by lower-case name.
        refused: how many of them it did not let through.
    """

    url: str
    behind: str
    wants: tuple[str, str] = ("authorization", f"Bearer {KEY}")
    asked: list[tuple[str, dict[str, str]]] = attrs.field(factory=list)
    refused: int = 0

    @property
    def at(self) -> tuple[str, str]:
        """The option that names it."""
        return "--endpoint", self.url


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    proxy: KeyProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in its class
        """Say nothing."""

    def handle_any(self) -> None:
        """Let a request through, or repeat to it what it showed, as careless servers do."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.proxy.asked.append((self.path, headers))
        name, value = self.proxy.wants
        if headers.get(name) == value:
            self._forward(body)
            return
        self.proxy.refused += 1
        shown = headers.get(name, "nothing")
        told = f'{{"error":"no such key: {shown}"}}'.encode()
        self._begin(401, "application/json", len(told))
        self.wfile.write(told)

    do_GET = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 - as its class wants them

    def _forward(self, body: bytes) -> None:
        there = http.client.HTTPConnection(urlsplit(self.proxy.behind).netloc, timeout=30)
        try:
            there.request(self.command, self.path, body)
            answer = there.getresponse()
            told = answer.read()
            self._begin(answer.status, answer.getheader("content-type", ""), len(told))
            if self.command != "HEAD":
                self.wfile.write(told)
        finally:
            there.close()

    def _begin(self, status: int, kind: str, size_bytes: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size_bytes))
        self.end_headers()


class _Server(ThreadingHTTPServer):
    """Its threads end with their connections."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that was stopped has hung up."""


@contextmanager
def open_key_proxy(behind: str) -> Iterator[KeyProxy]:
    """Serve in a thread, for the time of a block.

    Args:
        behind: the address of the server behind it.
    """
    proxy = KeyProxy("", behind)
    handler = type("_Bound", (_Handler,), {"proxy": proxy})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
