"""One request and its response on one connection: what arrived, who waits, how it ended.

Both kinds of connection share this: they feed it with `received` and `received_eof`, or end it with
`fail`; it reads HTTP, hands the body to its sink, gives the connection back after a clean end and
closes it after any other. Body that arrives before a sink is there is held, up to
`EARLY_BYTES_HIGH`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn, Protocol

import httpx
import trio

from triollama._errors import EngineFaultError, TriollamaError
from triollama.wire.flow import ByteSink
from triollama.wire.http1 import CutShortError, ResponseHead, ResponseReader

EARLY_BYTES_HIGH = 64 * 1024
"""Body held until a sink is attached; beyond it the connection is paused. One large read."""


class ConnectionLostEarly(httpx.ReadError):
    """A reused connection ended before any byte of the answer: closed while it was idle."""


class Connection(Protocol):
    """A connected socket that carries one exchange at a time."""

    async def send(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            httpx.WriteError: the connection is gone.
        """

    def advance(self) -> Awaitable[None]:
        """Wait until something happened to the exchange, or at least until some bytes came."""

    def wake(self) -> None:
        """Let `advance` return."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Close the socket now. Idempotent, never waits."""

    def release(self) -> None:
        """The exchange ended cleanly and the connection can carry another."""


class Exchange:
    """The state of one request on one connection.

    Args:
        connection: carries it.
        is_head_request: see `ResponseReader`.
        is_reused: whether the connection carried an exchange before this one.
        header_bytes_max: see `ResponseReader`.

    Attributes:
        sent_ns: when the request's first byte was handed to the socket, or is about to be; both on
            the clock of `time.perf_counter_ns`.
        received_ns: when the latest bytes of the answer came; 0 before any.
        is_over: whether nothing will come any more.
    """

    __slots__ = (
        "_connection",
        "_early",
        "_early_bytes",
        "_error",
        "_expected",
        "_feed_sink",
        "_is_headless",
        "_is_refused",
        "_is_reused",
        "_reader",
        "is_over",
        "received_ns",
        "sent_ns",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        is_head_request: bool,
        is_reused: bool,
        header_bytes_max: int,
    ) -> None:
        self.sent_ns = time.perf_counter_ns()
        self.received_ns = 0
        self.is_over = False
        self._connection = connection
        self._is_reused = is_reused
        self._error: Exception | None = None
        self._early: list[tuple[int, bytes]] = []
        self._early_bytes = 0
        self._is_headless = True
        self._is_refused = False
        self._expected: tuple[ByteSink, Callable[[ResponseHead], bool]] | None = None
        self._feed_sink: Callable[[bytes], None] = self._hold_early
        self._reader = ResponseReader(
            is_head_request=is_head_request,
            header_bytes_max=header_bytes_max,
        )

    # ---- called by the connection

    def received(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes came; stamps them first."""
        self.received_ns = time.perf_counter_ns()
        reader = self._reader
        refused: httpx.RemoteProtocolError | None = None
        try:
            reader.feed(data)
        except httpx.RemoteProtocolError as error:
            refused = error  # after what came before it
        if self._is_headless and reader.head is not None:
            self._take_head(reader.head)
        try:
            pieces = reader.pieces
            if pieces:
                self._feed_sink(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        except Exception as error:  # noqa: BLE001 - one bad answer must not end the reactor
            self.fail(error)
            return
        pieces.clear()
        if refused is not None:
            self.fail(refused)
        elif reader.is_complete:
            self._finish()

    def received_eof(self) -> None:
        """The server closed its side."""
        try:
            self._reader.feed_eof()
        except CutShortError as error:
            self.fail(error)
        else:
            self._finish()

    def fail(self, error: Exception) -> None:
        """End with an error and close the connection. Has no effect once the exchange is over."""
        if self.is_over:
            return
        is_lost = isinstance(error, httpx.ReadError | CutShortError)
        if is_lost and self._is_reused and self.received_ns == 0:
            error = ConnectionLostEarly(str(error))
        self._error = error
        self.is_over = True
        self._reader.let_go()
        self._connection.close()
        self._connection.wake()

    # ---- called by the one who made the request

    async def send(self, data: bytes) -> None:
        """Send the request. `wait_head` tells what came of it.

        A server may answer and hang up before it has read everything: that sending failed is then
        no failure of the exchange, and if it was one, reading fails next.

        If cancelled, close the connection.
        """
        with suppress(httpx.WriteError):
            await self._connection.send(data)

    def expect(self, sink: ByteSink, suits: Callable[[ResponseHead], bool]) -> None:
        """Let the body go to `sink` as soon as a head comes that suits it, or if one has come."""
        self._expected = sink, suits
        if self._reader.head is not None:
            self._take_head(self._reader.head)

    async def wait_taken(self) -> ResponseHead | None:
        """Wait until the expected sink has got the body; else the head that does not suit it.

        If cancelled, the exchange goes on: close the connection.

        Raises:
            httpx.TransportError: the connection broke, or the framing is wrong.
            TriollamaError: the sink refused the body.
        """
        while not self.is_over and not self._is_refused:
            await self._connection.advance()
        if self._is_refused:
            return self._reader.head
        if self._error is not None:
            self._raise()
        return None

    async def wait_head(self) -> ResponseHead:
        """Wait for status and headers.

        If cancelled, the exchange goes on: close the connection.

        Raises:
            httpx.TransportError: the connection broke, or what came is not HTTP.
        """
        while self._reader.head is None and not self.is_over:
            await self._connection.advance()
        if self._reader.head is None:
            self._raise()
        return self._reader.head

    async def wait_end(self) -> None:
        """Wait until the body has ended cleanly.

        Raises:
            httpx.TransportError: the connection broke, or the framing is wrong.
            TriollamaError: the sink refused the body.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self.is_over:
            await self._connection.advance()
        if self._error is not None:
            self._raise()

    async def wait_more(self) -> None:
        """Wait until bytes may have come or the exchange is over."""
        await self._connection.advance()

    def attach(self, sink: ByteSink) -> None:
        """From now on the body goes to `sink`, beginning with what was held."""
        early, self._early, self._early_bytes = self._early, [], 0
        if early:
            self.resume()  # first, because from now on pausing is the sink's
        sink.bind(self)
        self._feed_sink = sink.feed
        latest_ns = self.received_ns
        try:
            for self.received_ns, data in early:
                sink.feed(data)
        except Exception as error:  # noqa: BLE001 - as in `received`
            self.fail(error)
            self._error = error  # even if the whole body had come
        self.received_ns = latest_ns

    def abort(self) -> None:
        """Stop: close the connection unless the exchange is over. Who waits gets an error."""
        if not self.is_over:
            self.fail(httpx.CloseError("the connection was closed here"))

    def wake(self) -> None:
        """Let the one who waits look again."""
        self._connection.wake()

    # ---- FlowControl

    def pause(self) -> None:
        """See `FlowControl`."""
        if not self.is_over:
            self._connection.pause()

    def resume(self) -> None:
        """See `FlowControl`."""
        if not self.is_over:
            self._connection.resume()

    # ---- inside

    def _take_head(self, head: ResponseHead) -> None:
        self._is_headless = False
        if self._expected is not None:
            sink, suits = self._expected
            if suits(head):
                self._reader.forget_headers()
                self.attach(sink)
                return
            self._is_refused = True
        self._connection.wake()

    def _hold_early(self, data: bytes) -> None:
        self._early.append((self.received_ns, data))
        self._early_bytes += len(data)
        if self._early_bytes > EARLY_BYTES_HIGH:
            self._connection.pause()

    def _finish(self) -> None:
        if self.is_over:
            return  # the sink ended the exchange while it was fed
        self.is_over = True
        self._reader.let_go()
        if self._reader.can_reuse:
            self._connection.release()
        else:
            self._connection.close()
        self._connection.wake()

    def _raise(self) -> NoReturn:
        error = self._error
        assert error is not None
        if isinstance(error, httpx.TransportError | TriollamaError):
            raise error
        raise EngineFaultError("reading an answer failed unexpectedly") from error
