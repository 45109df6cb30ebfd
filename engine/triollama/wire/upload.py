"""Requests whose body is sent piece by piece, as it is read from somewhere.

Owns the rule that reading the answer goes on meanwhile: a server may refuse, or have it already,
before it has read everything, and then it reads no more. Bounded by the size of one piece.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import trio

from triollama.wire.exchange import Connection, Exchange
from triollama.wire.http1 import ResponseHead

__all__ = ["SizedStream", "UploadExchange", "announced_size"]

CLOSE_S: Final = 1.0
"""How long a generator that gives a body may take to end."""


class SizedStream(httpx.AsyncByteStream):
    """A body that is read while it is sent.

    Attributes:
        size_bytes: how much it will be.
    """

    size_bytes: int


class UploadExchange(Exchange):
    """An exchange whose request is sent piece by piece.

    If its answer is whole before that, its connection carries no other request: what is left of
    this one would be taken for the beginning of that.
    """

    __slots__ = ("_is_sent",)

    def __init__(self, connection: Connection, *, is_reused: bool, header_bytes_max: int) -> None:
        super().__init__(
            connection,
            is_head_request=False,
            is_reused=is_reused,
            header_bytes_max=header_bytes_max,
        )
        self._is_sent = False

    async def send_all(
        self,
        pieces: httpx.AsyncByteStream,
        size_bytes: int,
        limited: Callable[[Awaitable[None]], Awaitable[None]],
    ) -> ResponseHead:
        """Send the body while the answer is waited for; returns its head, however much was sent.

        If cancelled, the exchange goes on: close the connection.

        Args:
            pieces: the body.
            size_bytes: how much it was announced to be.
            limited: waits for one piece to be sent, and raises when that takes too long.

        Raises:
            httpx.LocalProtocolError: the body is longer or shorter than that.
            httpx.TransportError: the connection broke, or what came is not HTTP.
            Exception: whatever `pieces` raised.
        """
        failed: Exception | None = None
        head: ResponseHead | None = None

        async def send() -> None:
            nonlocal failed
            try:
                await self._send_pieces(pieces, size_bytes, limited)
            except Exception as error:  # noqa: BLE001 - raised below, outside the nursery
                failed = error
                self.abort()

        async with trio.open_nursery() as sending:
            sending.start_soon(send)
            try:
                head = await self.wait_head()
            except Exception as error:  # noqa: BLE001 - the same
                failed = failed or error
            sending.cancel_scope.cancel()
        if failed is not None:
            raise failed
        assert head is not None
        return head

    async def _send_pieces(
        self,
        pieces: httpx.AsyncByteStream,
        size_bytes: int,
        limited: Callable[[Awaitable[None]], Awaitable[None]],
    ) -> None:
        left = size_bytes
        async with _closing(pieces) as opened:
            async for piece in opened:
                left -= len(piece)
                if left < 0:
                    raise httpx.LocalProtocolError("the body is longer than was announced")
                if piece:
                    await limited(self.send(piece))
                if self.is_over:
                    return
        if left:
            raise httpx.LocalProtocolError("the body is shorter than was announced")
        self._is_sent = True

    def _finish(self) -> None:
        if not self._is_sent:
            self._reader.taint()
        super()._finish()


@asynccontextmanager
async def _closing(pieces: httpx.AsyncByteStream) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of a body; where they come from a generator, it ends with the block."""
    opened = aiter(pieces)
    try:
        yield opened
    finally:
        if isinstance(opened, AsyncGenerator):
            with trio.move_on_after(CLOSE_S, shield=True):
                await opened.aclose()


def announced_size(request: httpx.Request) -> int | None:
    """The size of a body that is to be streamed; None if it is at hand, or its size is not."""
    if isinstance(request.stream, httpx.ByteStream):
        return None
    told = request.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else None
