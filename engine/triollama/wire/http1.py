"""HTTP/1.1 without IO: request heads out, response bytes in.

`ResponseReader` reads exactly one response. It stands on httptools (llhttp) and adds what that
lacks: a limit on the header block, bodies that end with the connection, HEAD, and interim (1xx)
responses. It owns no socket and no clock; whoever feeds it decides what to do with its state.

=============  =====================================================
state          meaning
=============  =====================================================
head is None   the status line and headers are not whole yet
head is set    body bytes go to `sink` as they come
is_complete    the body has ended cleanly
can_reuse      ... and the connection may carry another request
=============  =====================================================
"""

from __future__ import annotations

from collections.abc import Iterable

import httptools
import httpx

from triollama._frozen import frozen_for_checker

HEADER_BLOCK_BYTES_MAX = 16 * 1024
"""Status line and headers together, interim responses included.

h11 and nginx allow 16 KiB and 8 KiB per block; an Ollama server sends about 150 bytes.
"""

_NO_BODY_STATUSES = frozenset({204, 304})

_FORGOTTEN: list[tuple[bytes, bytes]] = []
"""In place of headers that nobody will ask for any more; shared, and never added to."""


class CutShortError(httpx.RemoteProtocolError):
    """The connection ended before the response was whole: lost, rather than badly spoken."""


@frozen_for_checker
class ResponseHead:
    """Status line and headers of a final (not 1xx) response.

    Attributes:
        status: 200 to 599.
        headers: names as sent, values as sent, in order.
    """

    status: int
    headers: list[tuple[bytes, bytes]]


def encode_head(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of a request, without the blank line that ends it.

    Args:
        method: ``GET``, ``POST``, …
        target: path and query, percent-encoded.
        headers: names and values; ``Host`` must be among them.

    Raises:
        httpx.LocalProtocolError: a name, a value or the target could break out of its place.
    """
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target)]
    lines += [b"%s: %s" % header for header in headers]
    head = b"\r\n".join(lines)
    if b" " in target or " " in method:
        raise httpx.LocalProtocolError("the method or the path contains a space")
    # Checked once for the whole head: a CR or LF inside any part adds a line.
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise httpx.LocalProtocolError("a header or the path contains a line break or NUL")
    return head


class ResponseReader:
    """One response, from bytes to head, body and end.

    Args:
        is_head_request: the response to HEAD announces a length and has no body.
        header_bytes_max: see `HEADER_BLOCK_BYTES_MAX`; it holds for trailers too, give or take what
            one `feed` brings.

    Attributes:
        head: status and headers, once they are whole.
        is_complete: whether the body has ended cleanly.
        pieces: what `feed` found of the body, free of chunk framing; whoever takes it clears the
            list.
    """

    __slots__ = (
        "_closes",
        "_fields",
        "_framing_bytes",
        "_framing_bytes_max",
        "_has_frame",
        "_header_bytes_left",
        "_in_interim",
        "_is_head_request",
        "_parser",
        "_tainted",
        "head",
        "is_complete",
        "on_body",
        "pieces",
    )

    def __init__(
        self, *, is_head_request: bool = False, header_bytes_max: int = HEADER_BLOCK_BYTES_MAX
    ) -> None:
        self.head: ResponseHead | None = None
        self.is_complete = False
        self.pieces: list[bytes] = []
        # httptools calls this itself: a call from C to a function in Python costs more than the
        # loop that takes the pieces from the list.
        self.on_body = self._refuse_body if is_head_request else self.pieces.append
        self._is_head_request = is_head_request
        self._header_bytes_left = header_bytes_max
        # Since the last piece of body. httptools holds a trailer until it is whole, however long.
        self._framing_bytes = 0
        self._framing_bytes_max = header_bytes_max
        self._fields: list[tuple[bytes, bytes]] = []
        self._has_frame = False
        self._in_interim = False
        self._closes = False
        self._tainted = False
        # Last, because the parser looks its callbacks up now.
        self._parser = httptools.HttpResponseParser(self)

    @property
    def can_reuse(self) -> bool:
        """Whether the connection may carry another request."""
        return self.is_complete and not self._closes and not self._tainted

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take what arrived; the body in it is then in `pieces`, also if this raises.

        Raises:
            httpx.RemoteProtocolError: it is not HTTP/1.1, or beyond a limit, or encoded in a way
                that was not asked for.
        """
        try:
            if self.head is None:
                self._feed_head(data)
            else:
                self._parser.feed_data(data)
                if self.pieces:
                    self._framing_bytes = 0
                else:
                    self._count_framing(len(data))
        except httptools.HttpParserUpgrade as error:
            raise httpx.RemoteProtocolError("the server changed the protocol unasked") from error
        except httptools.HttpParserCallbackError as error:
            if not self.is_complete:
                raise (error.__context__ or error) from None
            self._tainted = True
        except httptools.HttpParserError as error:
            # What follows a whole response harms only the connection, not the response.
            self._tainted = True
            if not self.is_complete:
                raise httpx.RemoteProtocolError(f"not a valid HTTP response: {error}") from error

    def feed_eof(self) -> None:
        """The connection ended.

        Raises:
            CutShortError: the response is not whole.
        """
        self._closes = True
        if self.is_complete:
            return
        if self.head is None:
            raise CutShortError("the server closed the connection without an answer")
        if self._has_frame:
            raise CutShortError("the server closed the connection inside the body")
        self.is_complete = True

    def forget_headers(self) -> None:
        """Nobody will ask for them any more: frees some hundred bytes of a body that lasts."""
        if self.head is not None:
            self.head = ResponseHead(self.head.status, _FORGOTTEN)
            self._fields = _FORGOTTEN

    def taint(self) -> None:
        """Whatever comes, the connection is not to carry another request."""
        self._tainted = True

    def let_go(self) -> None:
        """No more is fed: frees the parser, which would hold this object in a cycle."""
        del self._parser

    def _count_framing(self, size: int) -> None:
        """Bytes came that held no body: between two pieces of it there are few."""
        self._framing_bytes += size
        if self._framing_bytes > self._framing_bytes_max and not self.is_complete:
            raise httpx.RemoteProtocolError("chunk framing is larger than the limit")

    def _feed_head(self, data: bytes | bytearray | memoryview) -> None:
        room = self._header_bytes_left
        self._header_bytes_left -= len(data)
        if len(data) <= room:
            self._parser.feed_data(data)
            return
        # The block may end within the limit although the data goes beyond it.
        self._parser.feed_data(data[:room])
        if self.head is None:
            raise httpx.RemoteProtocolError("the response's headers are larger than the limit")
        self._parser.feed_data(data[room:])

    # ---- called by httptools

    def on_message_begin(self) -> None:
        """A status line begins."""
        if self.is_complete:
            # Stops the parser before a second message's body could reach `pieces`.
            raise httpx.RemoteProtocolError("a second response follows")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, is whole."""
        if self.head is not None:
            return  # a trailer; nothing in Ollama's protocol has one
        self._fields.append((name, value))
        lowered = name.lower()
        if lowered == b"content-length":
            self._has_frame = True
        elif lowered == b"transfer-encoding":
            self._has_frame = True
            if value.strip().lower() != b"chunked":
                raise httpx.RemoteProtocolError("the server used a transfer encoding unasked")
        elif lowered == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            # Inflating is how a small answer becomes a large one; identity was asked for.
            raise httpx.RemoteProtocolError(
                "the server compressed the answer although identity was asked for"
            )

    def on_headers_complete(self) -> None:
        """The blank line after the headers came."""
        status = self._parser.get_status_code()
        if status < 100 or status > 599:
            raise httpx.RemoteProtocolError(f"the status {status} does not exist")
        if status < 200:
            self._in_interim = True
            self._fields = []
            self._has_frame = False
            return
        # After HEAD, the parser waits for the body that was announced and cannot tell what follows.
        self._closes = self._is_head_request or not self._parser.should_keep_alive()
        self.head = ResponseHead(status, self._fields)
        if status in _NO_BODY_STATUSES:
            self._has_frame = True
        if self._is_head_request:
            self.is_complete = True

    def on_message_complete(self) -> None:
        """The body has ended by its own framing."""
        if self._in_interim:
            self._in_interim = False
        else:
            self.is_complete = True

    def _refuse_body(self, _: bytes) -> None:
        """A body after the head of a response to HEAD: nobody wants it."""
        self._tainted = True
