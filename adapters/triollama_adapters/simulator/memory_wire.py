"""The client's end of a response in memory: wire bytes in, head and body out.

Owns the parser of one response and its bounded buffer, and the translation of what can go wrong
into the exceptions of httpx. The bytes are those that a socket would carry, framing included, so
that a fault of the framing means here what it means there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import httptools
import httpx
import trio

from .response import Ending

__all__ = ["MemoryWire"]

_BUFFER_BYTES_HIGH = 64 * 1024
"""Where the generation is told to stop, in place of a socket's send buffer."""
_HEAD_BYTES_MAX = 100 * 1024
"""What h11, and so httpx's own transport, takes at most."""


class MemoryWire:
    """One response on its way through memory; the `Wire` that the core writes to.

    Args:
        is_head: whether the request's method was HEAD, whose response has no body.
        on_full: called with true when the buffer is long, with false when it is short again.
    """

    def __init__(self, *, is_head: bool, on_full: Callable[[bool], None]) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._is_head = is_head
        self._on_full = on_full
        self._is_full = False
        self._body: deque[bytes] = deque()
        self._buffered = 0
        self._head_bytes = 0
        self._framed = False
        self._has_head = False
        self._whole = False
        self._eof = False
        self._error: Exception | None = None
        self._news = trio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    # ---- the core's side

    def write(self, data: bytes) -> None:
        """Take bytes as they would come off a socket; those behind the end are left unread."""
        if self._whole or self._error is not None:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._whole:
                self._error = httpx.RemoteProtocolError(f"malformed response: {error}")
        self._news.set()
        self._tell()

    def finish(self, ending: Ending) -> None:
        """The response is over, one way or another."""
        if ending is Ending.REFUSE:
            self._error = httpx.ConnectError("All connection attempts failed")
        elif ending is Ending.RESET and not self._whole:
            self._error = self._error or httpx.ReadError("connection reset by peer")
        self._eof = True
        self._news.set()

    # ---- the client's side

    async def wait_head(self) -> None:
        """Wait for status and headers.

        Raises:
            httpx.TransportError: they do not come, or are none.
        """
        while not self._has_head:
            self._check("Server disconnected without sending a response.")
            await self._wait()

    async def read(self) -> bytes:
        """Wait for the next bytes of the body; empty at its end. A checkpoint in any case.

        Raises:
            httpx.TransportError: the body breaks off.
        """
        if self._body:
            await trio.lowlevel.checkpoint()
        while not self._body:
            if self._whole:
                return b""
            if self._eof and self._error is None and not self._framed:
                return b""
            self._check("peer closed connection without sending complete message body")
            await self._wait()
        data = self._body.popleft()
        self._buffered -= len(data)
        self._tell()
        return data

    def _check(self, at_eof: str) -> None:
        if self._error is not None:
            raise self._error
        if self._eof:
            raise httpx.RemoteProtocolError(at_eof)

    async def _wait(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    def _tell(self) -> None:
        is_full = self._buffered > _BUFFER_BYTES_HIGH
        if is_full != self._is_full:
            self._is_full = is_full
            self._on_full(is_full)

    # ---- called by the parser

    def on_message_begin(self) -> None:
        """A response begins; before the last one there may be some of status 1xx."""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _HEAD_BYTES_MAX:
            self._error = httpx.RemoteProtocolError("Receive buffer too long")
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._framed = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.status = self._parser.get_status_code()
        if self.status >= 200 and self._error is None:
            self._has_head = True
            self._whole = self._is_head

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._body.append(data)
        self._buffered += len(data)

    def on_message_complete(self) -> None:
        """A response is whole."""
        if self.status >= 200:
            self._whole = True
