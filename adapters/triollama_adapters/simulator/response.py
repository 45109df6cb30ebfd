"""One HTTP response as bytes: its head, its framing, and how it ends.

Owns what ``ollama-api.md`` §0.1 says of headers and framing. It writes to a `Wire`, the one
interface between the core and what carries bytes: a socket, or memory. Faults are other responses
(`event_faults`) over other wires (`wire_faults`) with the same interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from http import HTTPStatus
from typing import Protocol

from attrs import frozen

from .encoding import Stamps, encode_json
from .errors import anthropic_error, openai_error
from .uploads import Upload

__all__ = [
    "DELTA",
    "FIRST_DELTA",
    "JSON",
    "JSON_PLAIN",
    "NDJSON",
    "SSE",
    "TEXT",
    "Ending",
    "Request",
    "Response",
    "Wire",
    "reason_of",
]

JSON = b"application/json; charset=utf-8"
JSON_PLAIN = b"application/json"
NDJSON = b"application/x-ndjson"
SSE = b"text/event-stream"
TEXT = b"text/plain"
DELTA = b'"delta":{'
FIRST_DELTA = b'"delta":{"role":"assistant",'
"""Of an event under ``/v1``, and of the first of a stream, which says whose words follow."""
_LENGTH_BYTES_MAX = 2048
"""A longer body is sent in chunks, without a Content-Length, as Go's buffer of that size has it."""

Header = tuple[bytes, bytes]
_LONG: Sequence[Header] = ((b"Cache-Control", b"no-cache"), (b"Connection", b"keep-alive"))


class Ending(Enum):
    """What becomes of the connection when a response is over."""

    KEEP = auto()  # the next request may come
    CLOSE = auto()  # close it in good order
    RESET = auto()  # reset it; what was not yet sent is lost
    HALF_CLOSE = auto()  # close the server's direction only, and leave the client's open
    REFUSE = auto()  # as if the connection had never been accepted


class Wire(Protocol):
    """What carries the bytes of one response to its client."""

    def write(self, data: bytes) -> None:
        """Send bytes, now or as soon as the client takes them; it never blocks and never fails."""

    def finish(self, ending: Ending) -> None:
        """The response is over. Called at most once; nothing is written after it."""


@frozen
class Request:
    """One request as it came.

    Attributes:
        method: in upper case.
        target: path and query.
        body: its bytes; empty where they were hashed while they came.
        keep_alive: whether the client would use the connection again.
        is_http10: whether it is HTTP/1.0, which knows no chunks.
        content_type: the header of that name.
        upload: what was hashed while it came; None for all but blobs.
    """

    method: str
    target: str
    body: bytes = b""
    keep_alive: bool = True
    is_http10: bool = False
    content_type: bytes = b""
    upload: Upload | None = None


def reason_of(status: int) -> str:
    """The reason phrase of a status; 499 is not in the standard's list."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request" if status == 499 else "Unknown"


class Response:
    """Writes one response.

    Args:
        wire: where to.
        request: the request that it answers.
        stamps: formats the date.
    """

    def __init__(self, wire: Wire, request: Request, stamps: Stamps) -> None:
        self._wire = wire
        self._request = request
        self._stamps = stamps
        self._chunked = False
        self._is_openai = False
        self._is_behind = False
        self._is_anthropic = False
        self._is_long = False
        self.started = False
        self.over = False

    def speak_openai(self) -> None:
        """Answer as the routes under ``/v1`` do: other errors, another kind of stream."""
        self._is_openai = True

    def speak_anthropic(self) -> None:
        """Answer as ``/v1/messages`` does; its streams are as those of OpenAI's routes."""
        self._is_openai = self._is_anthropic = self._is_long = True

    def hold_open(self) -> None:
        """Say in a stream's head that nothing is to be kept of it, and the connection is."""
        self._is_long = True

    def was_read(self) -> None:
        """The request of such a route was accepted: what comes now is said by Ollama's own."""
        self._is_behind = True

    # ---- a whole body

    def reply(
        self,
        status: int,
        content_type: bytes,
        body: bytes,
        now: float,
        *,
        headers: Sequence[Header] = (),
        streamed: bool = False,
    ) -> None:
        """Send a whole response.

        Args:
            status: HTTP status.
            content_type: empty for no such header.
            body: its bytes; not sent for HEAD.
            now: the caller's clock.
            headers: others.
            streamed: send it in chunks whatever its size.
        """
        small = len(body) <= _LENGTH_BYTES_MAX and not streamed
        length = len(body) if small or self._request.is_http10 else None
        head = self._head(status, content_type, now, length=length, headers=headers)
        self.started = True
        if self._request.method == "HEAD":
            self._send_whole(head, b"")
        elif length is not None:
            self._send_whole(head, body)
        else:
            self._send_whole(head, (_chunk(body) if body else b"") + b"0\r\n\r\n")

    def json(self, status: int, value: object, now: float) -> None:
        """Send a JSON object, or bytes that hold one, as a whole response."""
        body = value if isinstance(value, bytes) else encode_json(value)
        self.reply(status, JSON, body, now)

    def error(self, status: int, message: str, now: float, *, in_stream: bool = False) -> None:
        """Send an error.

        Args:
            status: HTTP status.
            message: the text.
            now: the caller's clock.
            in_stream: whether it comes from the worker of a streaming request, before its first
                event: another content type, and chunks.
        """
        if self._is_anthropic:
            body = encode_json(anthropic_error(status, message))
        else:
            shown = openai_error(status, message) if self._is_openai else message
            body = encode_json({"error": shown})
        if self._is_behind:
            body += b"\n"
        content_type = JSON_PLAIN if in_stream or self._is_behind else JSON
        self.reply(status, content_type, body, now, streamed=in_stream)

    # ---- a stream of events

    def open(self, now: float) -> None:
        """Send the head of a stream."""
        self._chunked = not self._request.is_http10
        self.started = True
        kind = SSE if self._is_openai else NDJSON
        headers = _LONG if self._is_long and self._request.keep_alive else ()
        self._wire.write(self._head(200, kind, now, length=None, headers=headers))

    def events(self, lines: list[bytes], now: float) -> None:
        """Send events, a chunk for each; the head goes before the first."""
        if not self.started:
            if self._is_openai:
                lines = [lines[0].replace(DELTA, FIRST_DELTA, 1), *lines[1:]]
            self.open(now)
        if self._chunked:
            self._wire.write(b"".join([b"%x\r\n%b\r\n" % (len(line), line) for line in lines]))
        else:
            self._wire.write(b"".join(lines))

    def close(self, last: bytes | None, now: float) -> None:
        """Send the last event, if any, and end the stream in good order."""
        if last is not None:
            self.events([last], now)
        elif not self.started:
            self.open(now)
        if self._chunked:
            self._wire.write(b"0\r\n\r\n")
        self._finish(self.ending)

    # ---- parts

    @property
    def ending(self) -> Ending:
        """What becomes of the connection after a good end."""
        keep = self._request.keep_alive and not (self._request.is_http10 and self.started)
        return Ending.KEEP if keep else Ending.CLOSE

    def _send_whole(self, head: bytes, payload: bytes) -> None:
        self._wire.write(head + payload)
        self._finish(self.ending)

    def _finish(self, ending: Ending) -> None:
        if not self.over:
            self.over = True
            self._wire.finish(ending)

    def _head(
        self,
        status: int,
        content_type: bytes,
        now: float,
        *,
        length: int | None,
        headers: Sequence[Header] = (),
    ) -> bytes:
        """Write a head as Go does: the handler's headers by name, the date, the framing."""
        version = b"HTTP/1.0" if self._request.is_http10 else b"HTTP/1.1"
        parts = [b"%b %d %b\r\n" % (version, status, reason_of(status).encode())]
        typed = [(b"Content-Type", content_type)] if content_type else []
        parts += [b"%b: %b\r\n" % header for header in sorted([*typed, *headers])]
        parts.append(b"Date: %b\r\n" % self._stamps.date(now))
        if length is not None:
            parts.append(b"Content-Length: %d\r\n" % length)
        if not self._request.keep_alive or self._request.is_http10:
            parts.append(b"Connection: close\r\n")
        if length is None and not self._request.is_http10 and self._request.method != "HEAD":
            parts.append(b"Transfer-Encoding: chunked\r\n")
        return b"".join(parts) + b"\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
