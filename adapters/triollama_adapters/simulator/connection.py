"""One client's connection: requests come in, response bytes go out, and its end is noticed.

Owns one non-blocking socket. Its task reads only; whatever writes, the driver's step or this task,
sends straight to the socket. What the socket does not take is kept, the generation behind it is
blocked, and a second task, started only then, sends the rest.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from .exchange import Exchange
from .http import RequestReader
from .response import Ending, Request, reason_of

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Connection"]

_log = logging.getLogger(__name__)
_READ_BYTES = 64 * 1024
_PENDING_MAX = 16
"""Requests sent before the answers to earlier ones; more are read when those are answered."""
_LINGER_S = 1.0
"""How long a closed connection waits for the client: unread bytes would make it a reset."""
_RESET = struct.pack("ii", 1, 0)


class Connection:
    """One accepted connection; also the `Wire` of the response under way.

    Args:
        sock: a connected non-blocking socket; it is closed when `run` ends.
        server: whose connection it is.
    """

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self._sock = sock
        self._server = server
        self._send = sock.send
        self._reader = RequestReader(server.has_blob)
        self._pending: deque[Request] = deque()
        self._exchange: Exchange | None = None
        self._out = bytearray()
        self._flushing = False
        self._ending: Ending | None = None
        self._submitting = False
        self._closing = False
        self._eof = False
        self._is_open = True
        self._news = trio.Event()

    async def run(self) -> None:
        """Serve the connection until either side ends it. A cancellation cuts it at once."""
        try:
            async with trio.open_nursery() as self._nursery:
                await self._read()
                self._nursery.cancel_scope.cancel()
        except* OSError:
            pass  # the client has gone, which is no failure of the server
        except* Exception:  # noqa: BLE001  # one connection must not end the others
            _log.exception("a connection failed")
        finally:
            self.cut()
            self._lose()

    def cut(self) -> None:
        """Close the socket at once; with a reset if anything is still to be sent."""
        if self._is_open:
            self._is_open = False
            if self._out or self._exchange is not None:
                self._make_reset()
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()
            self._news.set()

    def _make_reset(self) -> None:
        """Have the coming close reset the connection."""
        with suppress(OSError):  # macOS refuses it where the client has gone already
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    # ---- reading

    async def _read(self) -> None:
        """Take what the client sends; return when it, or the server, has closed."""
        while self._is_open:
            if self._is_busy():
                self._news = trio.Event()
                await self._news.wait()
                continue
            if self._eof:
                return
            try:
                await trio.lowlevel.wait_readable(self._sock)
            except trio.ClosedResourceError:
                return
            self._receive()

    def _is_busy(self) -> bool:
        """Whether the client's next bytes, or what its closing means, must wait for answers.

        A client may close its direction and still read: what it asked for before is answered. Only
        a generation under way with nothing asked behind it ends, as Ollama takes it for a client
        that has gone.
        """
        if self._eof:
            is_asked = self._pending or (self._reader.refused and not self._closing)
            return bool(is_asked or (self._out and self._exchange is None))
        return len(self._pending) >= _PENDING_MAX

    def _receive(self) -> None:
        """Read requests out of what has come."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        self._eof = not data
        if self._eof or self._closing:
            return
        self._pending += self._reader.feed(data)
        if self._reader.wants_continue and self._exchange is None and not self._flushing:
            self._reader.wants_continue = False
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._next()

    def _next(self) -> None:
        """Give the simulator the next requests, until one takes its time.

        A request that is answered at once calls this from within. The loop goes on in its place: a
        recursion would become as deep as there are requests.
        """
        if self._submitting:
            return
        self._submitting = True
        try:
            while self._pending and self._is_free():
                request = self._pending.popleft()
                self._news.set()
                self._server.submit(self, request)
        finally:
            self._submitting = False
        if self._reader.refused and not self._pending and self._is_free():
            self._refuse(self._reader.refused)

    def _is_free(self) -> bool:
        """Whether the next request may be answered: the answers before it have left."""
        return self._exchange is None and not self._flushing and not self._closing

    def _refuse(self, status: int) -> None:
        """Answer what is no request as Go's server does, and end the connection."""
        reason = f"{status} {reason_of(status)}"
        text = "text/plain; charset=utf-8"
        head = f"HTTP/1.1 {reason}\r\nContent-Type: {text}\r\nConnection: close\r\n\r\n{reason}"
        self.write(head.encode())
        self.finish(Ending.CLOSE)

    def begin(self, exchange: Exchange) -> None:
        """Note the exchange under way."""
        if not exchange.over:
            self._exchange = exchange
            if self._flushing:
                self._server.simulator.block(exchange)

    def _lose(self) -> None:
        """The client has gone: the simulator drops its request."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._server.simulator.cancel(exchange, trio.current_time())
            self._server.driver.wake()

    # ---- writing; called by the simulator

    def write(self, data: bytes) -> None:
        """Send bytes, or keep what the socket does not take now."""
        if not self._is_open:
            return
        if self._out:
            self._out += data
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._nursery.cancel_scope.cancel()  # the client has gone
            return
        if sent < len(data):
            self._out += memoryview(data)[sent:]
            self._flushing = True
            if self._exchange is not None:
                self._server.simulator.block(self._exchange)
            self._nursery.start_soon(self._flush)

    async def _flush(self) -> None:
        """Send what was kept, then let the generation go on."""
        while self._out and self._is_open:
            try:
                await trio.lowlevel.wait_writable(self._sock)
                sent = self._send(self._out)
            except BlockingIOError:
                continue
            except trio.ClosedResourceError:
                return
            del self._out[:sent]
        if not self._is_open:
            return
        self._flushing = False
        self._news.set()
        if self._exchange is not None:
            self._server.simulator.unblock(self._exchange, trio.current_time())
            self._server.driver.wake()
        if self._ending is not None:
            self._end(self._ending)

    def finish(self, ending: Ending) -> None:
        """The response is over: on to the next request, or close."""
        self._exchange = None
        self._ending = ending
        if not self._flushing or ending in {Ending.RESET, Ending.REFUSE}:
            self._end(ending)

    def _end(self, ending: Ending) -> None:
        self._ending = None
        if ending is Ending.KEEP:
            self._next()
            return
        self._closing = True
        self._pending.clear()
        self._news.set()
        if ending in {Ending.RESET, Ending.REFUSE}:
            self._make_reset()
            self.cut()
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            return  # already gone
        if ending is Ending.CLOSE:
            self._nursery.cancel_scope.deadline = trio.current_time() + _LINGER_S
