"""What comes of a request that was sent: an answer into its sink, or a refusal.

Bounds: `ERROR_BYTES_MAX` of an error's body are read.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from triollama import TriollamaError
from triollama.wire.exchange import Exchange
from triollama.wire.flow import FlowControl
from triollama.wire.http1 import ResponseHead
from triollama_adapters.loadtest.targets.answer_sinks import AnswerSink
from triollama_adapters.loadtest.targets.verdicts import (
    Verdict,
    answer_outcome,
    refused_outcome,
    transport_outcome,
)

__all__ = ["read_answer"]

ERROR_BYTES_MAX: Final = 64 * 1024


async def read_answer(exchange: Exchange, sink: AnswerSink) -> Verdict:
    """Wait until an answer is whole, or it is known what there is in its place.

    If cancelled, the exchange goes on: abort it.

    Args:
        exchange: the request's.
        sink: takes the answer.

    Raises:
        httpx.TransportError: the connection broke, or the framing is wrong.
    """
    try:
        exchange.expect(sink, _suits(sink.content_types))
        head = await exchange.wait_taken()
        if head is not None:
            return await _refused(exchange, head)
        sink.finish()
    except TriollamaError as error:
        return transport_outcome(error)
    return answer_outcome(sink)


def _suits(content_types: tuple[bytes, ...]) -> Callable[[ResponseHead], bool]:
    known = _SUITS.get(content_types)
    if known is None:

        def known(head: ResponseHead) -> bool:
            kind = _header(head, b"content-type")
            return head.status == 200 and kind.startswith(content_types)

        _SUITS[content_types] = known
    return known


_SUITS: dict[tuple[bytes, ...], Callable[[ResponseHead], bool]] = {}


async def _refused(exchange: Exchange, head: ResponseHead) -> Verdict:
    """What an answer means that is none."""
    if head.status == 200:
        kind = _header(head, b"content-type")[:60].decode("ascii", "replace") or "no content type"
        return "error_in_stream", f"this is no answer of such a server: {kind}"
    sink = _ErrorSink()
    with suppress(_EnoughError):
        exchange.attach(sink)
        await exchange.wait_end()
    asks_to_wait = bool(_header(head, b"retry-after"))
    return refused_outcome(head.status, b"".join(sink.pieces), asks_to_wait=asks_to_wait)


class _EnoughError(TriollamaError):
    """The beginning of an error's text is enough."""


class _ErrorSink:
    """Holds the body of an error, up to a limit."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._room_bytes = ERROR_BYTES_MAX

    def bind(self, flow: FlowControl) -> None:
        pass

    def feed(self, data: bytes) -> None:
        self.pieces.append(data[: self._room_bytes])
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise _EnoughError


def _header(head: ResponseHead, name: bytes) -> bytes:
    for key, value in head.headers:
        if key.lower() == name:
            return value
    return b""
