"""A connection that is read by the task that waits for it: TLS, and systems without ``epoll``.

The same promises as `reactor.ReactorConnection`, through the same `Exchange`; it costs one wake-up
of the waiting task per read. Nothing is read while nobody waits, so an idle connection that the
server closed is noticed by `TaskConnection.is_usable`, not before.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable
from typing import ClassVar

import httpx
import trio

from triollama.wire.exchange import Exchange
from triollama.wire.tls import tls_words

READ_BYTES = 64 * 1024
"""One read; a TLS record holds 16 KiB at most."""

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]

_BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, OSError)


class TaskConnection:
    """A plain or TLS stream of trio's.

    Attributes:
        exchange: the one under way, or None while idle.
        is_paused: whether reading waits for `resume`.
        on_release: called when it can carry another exchange.
        on_close: called once when it is closed.
        is_watched: whether anybody notices while it is idle that the server closes it.
    """

    is_watched: ClassVar = False

    __slots__ = (
        "_resumed",
        "_scope",
        "_stream",
        "exchange",
        "is_closed",
        "is_paused",
        "on_close",
        "on_release",
    )

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._resumed = trio.Event()
        self._scope: trio.CancelScope | None = None
        self.exchange: Exchange | None = None
        self.is_closed = False
        self.is_paused = False
        self.on_release: Callable[[TaskConnection], None] | None = None
        self.on_close: Callable[[TaskConnection], None] | None = None

    async def send(self, data: bytes) -> None:
        """See `Connection.send`. If cancelled, a part of `data` may have been sent: close."""
        try:
            await self._stream.send_all(data)
        except _BROKEN as error:
            raise httpx.WriteError("sending the request failed: the connection is gone") from error

    async def advance(self) -> None:
        """See `Connection.advance`: reads once, or waits for `resume` while paused."""
        exchange = self.exchange
        assert exchange is not None
        # Its only use is `wake`: whoever waits here looks again without having read.
        with trio.CancelScope() as self._scope:
            if self.is_paused:
                await self._resumed.wait()
                return
            try:
                data = await self._stream.receive_some(READ_BYTES)
            except _BROKEN as error:
                exchange.fail(httpx.ReadError(f"reading failed: {_words(error)}"))
                return
            if self.is_closed:
                return  # the exchange was ended from outside after the read
            if data:
                exchange.received(data)
            else:
                exchange.received_eof()

    def wake(self) -> None:
        """See `Connection.wake`. A TLS stream whose read is cancelled stays usable."""
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None

    def pause(self) -> None:
        """See `Connection.pause`."""
        if not self.is_paused:
            self.is_paused = True
            self._resumed = trio.Event()

    def resume(self) -> None:
        """See `Connection.resume`."""
        self.is_paused = False
        self._resumed.set()

    def release(self) -> None:
        """See `Connection.release`."""
        self.exchange = None
        self.resume()
        if self.on_release is None:
            self.close()
        else:
            self.on_release(self)

    def close(self) -> None:
        """See `Connection.close`. Without TLS's farewell: that would have to wait."""
        if self.is_closed:
            return
        self.is_closed = True
        self._socket_stream().socket.close()
        if self.on_close is not None:
            self.on_close(self)

    def is_usable(self) -> bool:
        """Whether an idle connection is still open: readable means closed, or unasked-for bytes."""
        if self.is_closed:
            return False
        if _is_readable(self._socket_stream().socket):
            self.close()
        return not self.is_closed

    def _socket_stream(self) -> trio.SocketStream:
        stream = self._stream
        return stream.transport_stream if isinstance(stream, trio.SSLStream) else stream


def _is_readable(sock: trio.socket.SocketType) -> bool:
    """Whether a read would return at once, with data, an end or an error."""
    if hasattr(select, "poll"):  # knows no limit on the descriptor's value, unlike select
        poller = select.poll()
        poller.register(sock.fileno(), select.POLLIN)
        return bool(poller.poll(0))
    readable, _, broken = select.select([sock.fileno()], [], [sock.fileno()], 0)
    return bool(readable or broken)


def _words(error: Exception) -> str:
    cause = error.__cause__ or error
    return tls_words(cause) if isinstance(cause, ssl.SSLError) else str(cause)
