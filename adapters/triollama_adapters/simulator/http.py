"""Requests out of bytes, under limits.

Owns the parser of one connection. What breaks the rules is refused with a status, to be answered
before the connection closes, but after the requests that came whole before it. Blobs are hashed
while they come, and not kept.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools

from .paths import is_blob
from .response import Request
from .uploads import Upload

__all__ = ["BODY_BYTES_MAX", "HEAD_BYTES_MAX", "UNREAD_BYTES_MAX", "RequestReader"]

HEAD_BYTES_MAX = 1024 * 1024
"""Go's own default for the head of a request."""
BODY_BYTES_MAX = 256 * 1024 * 1024
"""Ollama has no limit; this one keeps a mistake from taking the machine's memory."""


UNREAD_BYTES_MAX = 256 * 1024
"""What Go's server reads of a body that its handler leaves unread; beyond it, it closes."""

_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"expect"))
_CONTENT_TYPE = b"content-type"
_BLOBS = b"/api/blobs/"


class RequestReader:
    """Reads the requests of one connection, one behind the other.

    Args:
        has_blob: whether a blob is there already, by the path of its upload: its body is not read,
            and a long one is not waited for.

    Attributes:
        refused: the status to answer to what is no HTTP, or beyond a limit; 0 while all is well.
        wants_continue: whether the client waits for leave to send a body.
    """

    def __init__(self, has_blob: Callable[[str], bool] = lambda _path: False) -> None:
        self._has_blob = has_blob
        self._parser = httptools.HttpRequestParser(self)
        self._done: list[Request] = []
        self._in_body = False
        self._head_bytes = 0
        self._clear()
        self.refused = 0
        self.wants_continue = False

    def feed(self, data: bytes) -> list[Request]:
        """Take bytes and return the requests that they completed; none once one is refused."""
        if self.refused:
            return []
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.refused = self.refused or 400
        if not self._in_body and self._head_bytes > HEAD_BYTES_MAX:
            self.refused = 431
        if self.refused:
            self._clear()
        done, self._done = self._done, []
        return done

    def _parse(self, data: bytes) -> None:
        """Feed the parser; an offer to upgrade is ignored, as by Go's server.

        Some clients offer HTTP/2 with every first request, Java's for one. The parser takes what
        follows such a head for the other protocol, hence it is given another head in its place.
        """
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._head_again() + data[upgrade.args[0] :]
            else:
                return

    def _head_again(self) -> bytes:
        """Take back the request just read, and give its head without the offer."""
        if self._done[-1].method == "CONNECT":
            return b""  # it has no body, and would be an upgrade again
        request = self._done.pop()
        self._parser = httptools.HttpRequestParser(self)
        version = "1.0" if request.is_http10 else "1.1"
        line = f"{request.method} {request.target} HTTP/{version}".encode("latin-1")
        kept = [b"%b: %b" % header for header in self._framing]
        if not request.keep_alive:
            kept.append(b"Connection: close")
        return b"\r\n".join([line, *kept, b"", b""])

    def _clear(self) -> None:
        self._target = b""
        self._body = bytearray()  # in one piece, which goes back to the system when it is freed
        self._framing: list[tuple[bytes, bytes]] = []
        self._content_type = b""
        self._upload: Upload | None = None
        self._unread_bytes: int | None = None  # of a body that nobody wants, so far
        self._is_answered = False  # before its end, because of that

    # ---- called by the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self._clear()

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; only those matter here that say how the body comes, and what it is."""
        name = name.lower()
        if name in _FRAMING:
            self._framing.append((name, value))
        elif name == _CONTENT_TYPE:
            self._content_type = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_body = True
        if _BLOBS in self._target:
            self._begin_blob()
        asks = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in self._framing
        )
        self.wants_continue = asks and not self._is_answered

    def _begin_blob(self) -> None:
        """See whether the body is a blob, and whether it is there already."""
        path = _path(self._target.decode("latin-1"))
        if not is_blob(self._parser.get_method().decode("latin-1"), path):
            return
        self._upload = Upload()
        if self._has_blob(path.partition("?")[0]):
            self._unread_bytes = 0
            length = dict(self._framing).get(b"content-length", b"0")
            self._skip(int(length) if length.isdigit() else 0)

    def _skip(self, size: int) -> None:
        """If a body that nobody wants is so long, answer before its end."""
        if size > UNREAD_BYTES_MAX and not self._is_answered:
            self._is_answered = True
            self._done.append(self._request(keep_alive=False))

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self.wants_continue = False
        if self._unread_bytes is not None:
            self._unread_bytes += len(data)
            self._skip(self._unread_bytes)
            return
        if self._upload is not None:
            self._upload.feed(data)
            return
        if len(self._body) + len(data) > BODY_BYTES_MAX:
            self.refused = 413
            raise ValueError("the body is too large")  # makes the parser stop
        self._body += data

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._in_body = False
        self._head_bytes = 0
        self.wants_continue = False
        if not self._is_answered:
            self._done.append(self._request(keep_alive=self._parser.should_keep_alive()))

    def _request(self, *, keep_alive: bool) -> Request:
        body, self._body = bytes(self._body), bytearray()
        return Request(
            method=self._parser.get_method().decode("latin-1"),
            target=_path(self._target.decode("latin-1")),
            body=body,
            keep_alive=keep_alive,
            is_http10=self._parser.get_http_version() == "1.0",
            content_type=self._content_type,
            upload=self._upload,
        )


def _path(target: str) -> str:
    """Take scheme and host off an absolute target, which proxies' clients send."""
    if target.startswith("/"):
        return target
    _scheme, found, rest = target.partition("://")
    slash = rest.find("/")
    return rest[slash:] if found and slash >= 0 else "/"
