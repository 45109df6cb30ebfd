"""The reactor: all plain-HTTP sockets in one epoll, read by one task.

Owns: an ``epoll``. Every socket is registered once, level-triggered. The
task waits for *the epoll's own descriptor* with a single `trio.lowlevel.wait_readable`; when it
wakes it takes every ready socket, and each read goes through HTTP parser, line splitter and decoder
to its stream in plain function calls. Under load it batches by itself.

Bounds: one read of `READ_BYTES` per socket and turn, `EVENTS_MAX` sockets per turn, and fewer when
a turn takes longer than `TURN_S`, so that no stream can hold the others up. When a server dies,
`ENDED_MAX` of its streams are told per turn: each then begins anew elsewhere, and the first may
have its answer before the last has even asked.

When the task dies or is cancelled, every open exchange fails with ``httpx.ReadError``.
"""

from __future__ import annotations

import select
import socket
import time
import types
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, ClassVar

import attrs
import httpx
import trio

from triollama.wire.exchange import Exchange
from triollama.wire.outbox import Outbox
from triollama.wire.parking import CANCELLED, make_trap, wake

READ_BYTES = 64 * 1024
"""One read. A chunk is about 200 bytes; of a server that is faster than we are, many come at once,
and each then costs less. ``recv`` into a new object of this size costs 700
instructions less than ``recv_into`` a shared buffer, of which a view must then be made."""

EVENTS_MAX = 128
"""Sockets taken in one turn: about a millisecond of work, and what one core's cache holds."""

TURN_S = 0.01
"""A turn that took longer is followed by one of half as many sockets, down to `EVENTS_MIN`: a full
read is a millisecond of work, and between two turns everybody else has theirs."""

EVENTS_MIN = 4

CROWD_READS = 32
"""After a turn with so many reads, the next one begins `GATHER_S` later instead of at once."""

ENDED_MAX = 8
"""Connections that the other side has closed which are told in one turn: to go on elsewhere takes
some tenths of a millisecond each, in which nothing is read."""

GATHER_S = 0.001
"""A millisecond's chunks in one turn: fewer turns at 1,000 busy streams, and a delay far below that
between two tokens."""


@attrs.frozen
class ReactorStatistics:
    """What the reactor does now and did so far.

    Attributes:
        sockets: open sockets that belong to it.
        paused: those of them that are not read at the moment.
        turns: how often it woke.
        reads: how many reads it made.
    """

    sockets: int
    paused: int
    turns: int
    reads: int


class Reactor:
    """Reads all sockets that are registered with it, while `run` runs.

    Attributes:
        outbox: sends their requests.
    """

    def __init__(self) -> None:
        self.outbox = Outbox()
        self._epoll: select.epoll | None = None
        # By descriptor: these are small and dense, and a list finds one without hashing it.
        self._by_fd: list[ReactorConnection | None] = []
        self._ended: deque[tuple[ReactorConnection, str]] = deque()
        self._events_max = EVENTS_MAX
        self._turns = 0
        self._reads = 0

    @staticmethod
    def is_supported() -> bool:
        """Whether this system has ``epoll``."""
        return hasattr(select, "epoll")

    @property
    def is_running(self) -> bool:
        """Whether sockets can be registered."""
        return self._epoll is not None

    def statistics(self) -> ReactorStatistics:
        """A snapshot."""
        connections = self._connections()
        paused = sum(connection.is_paused for connection in connections)
        return ReactorStatistics(len(connections), paused, self._turns, self._reads)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.outbox.run)
            with select.epoll() as epoll:
                self._epoll = epoll
                task_status.started()
                try:
                    await self._loop(epoll)
                finally:
                    self._stop()

    def _stop(self) -> None:
        self._epoll = None
        for connection in self._connections():
            connection.lose("the reactor has stopped")

    async def _loop(self, epoll: select.epoll) -> None:
        taken = 0
        while True:
            # A full turn is followed at once: there is more. A crowd is let grow for a moment.
            if self._ended:
                await trio.lowlevel.checkpoint()
            elif CROWD_READS <= taken < self._events_max:
                await trio.sleep(GATHER_S)
            else:
                await trio.lowlevel.wait_readable(epoll.fileno())
            began_s = time.perf_counter()
            taken = self._take_ready(epoll)
            is_long = time.perf_counter() - began_s > TURN_S
            events_max = self._events_max // 2 if is_long else self._events_max * 2
            self._events_max = min(max(events_max, EVENTS_MIN), EVENTS_MAX)

    def _take_ready(self, epoll: select.epoll) -> int:
        """Read every socket that is ready; returns how many were."""
        by_fd = self._by_fd
        ready = epoll.poll(0, self._events_max)
        for fd, _ in ready:
            # An earlier socket of the same turn may have closed this one.
            reading = by_fd[fd]
            if reading is not None:
                reading.read()
        for _ in range(min(len(self._ended), ENDED_MAX)):
            connection, reason = self._ended.popleft()
            connection.end(reason)
        self._turns += 1
        self._reads += len(ready)
        return len(ready)

    def _connections(self) -> list[ReactorConnection]:
        return [connection for connection in self._by_fd if connection is not None]

    def adopt(self, sock: socket.socket) -> ReactorConnection:
        """Take a connected, non-blocking socket over.

        Raises:
            httpx.ConnectError: the reactor does not run, or is full; the socket is closed.
        """
        if self._epoll is None:
            sock.close()
            raise httpx.ConnectError("the reactor is not running")
        try:
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        except OSError as error:  # the system's limit on watched descriptors
            sock.close()
            raise httpx.ConnectError(f"no room in the reactor: {error.strerror}") from error
        connection = ReactorConnection(self, sock)
        missing = sock.fileno() + 1 - len(self._by_fd)
        self._by_fd.extend([None] * missing)
        self._by_fd[sock.fileno()] = connection
        return connection

    def end_soon(self, connection: ReactorConnection, reason: str) -> None:
        """The other side has closed it; it is told in its turn."""
        connection.pause()
        self._ended.append((connection, reason))

    def watch(self, fd: int) -> None:
        """Read this socket again."""
        if self._epoll is not None:
            self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Take this socket out of the set: even an error on it wakes nobody now."""
        if self._epoll is not None:
            self._epoll.unregister(fd)

    def forget(self, connection: ReactorConnection, fd: int) -> None:
        """The connection is about to close its socket."""
        if self._by_fd[fd] is connection:
            self._by_fd[fd] = None
            if not connection.is_paused:
                self.unwatch(fd)


class ReactorConnection:
    """A plain socket, read by the reactor.

    Attributes:
        exchange: the one under way, or None while idle.
        is_paused: whether it is out of the epoll set.
        on_release: called when it can carry another exchange.
        on_close: called once when it is closed, by whichever side.
        is_watched: whether anybody notices while it is idle that the server closes it.
    """

    is_watched: ClassVar = True

    __slots__ = (
        "_fd",
        "_is_sending",
        "_reactor",
        "_sock",
        "_task",
        "exchange",
        "is_closed",
        "is_paused",
        "on_close",
        "on_release",
    )

    def __init__(self, reactor: Reactor, sock: socket.socket) -> None:
        self._reactor = reactor
        self._sock = sock
        self._fd = sock.fileno()
        self._task: trio.lowlevel.Task | None = None
        self._is_sending = False
        self.exchange: Exchange | None = None
        self.is_closed = False
        self.is_paused = False
        self.on_release: Callable[[ReactorConnection], None] | None = None
        self.on_close: Callable[[ReactorConnection], None] | None = None

    # ---- called by the reactor

    def read(self) -> None:
        """One read, all the way to the stream."""
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._reactor.end_soon(self, f"reading failed: {error.strerror}")
            return
        exchange = self.exchange
        if exchange is None:
            self.close()  # idle: the server closed it, or sent what nobody asked for
        elif data:
            exchange.received(data)
        else:
            self._reactor.end_soon(self, "")

    def end(self, reason: str) -> None:
        """The other side has closed it: properly, or for a reason."""
        if self.is_closed:
            return
        if reason or self.exchange is None:
            self.lose(reason)
        else:
            self.exchange.received_eof()

    def lose(self, reason: str) -> None:
        """The connection is broken."""
        if self.exchange is not None:
            self.exchange.fail(httpx.ReadError(reason))
        self.close()

    # ---- Connection

    async def send(self, data: bytes) -> None:
        """See `Connection.send`. If cancelled, a part of `data` may have been sent: close."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._is_sending = True
        await self._write_all(data)

    def send_soon(self, data: bytes) -> None:
        """Send all of `data`, which is small, in a moment. Never waits."""
        self._is_sending = True
        self._reactor.outbox.put(self, data)

    def write(self, data: bytes) -> bytes:
        """See `Sender.write`."""
        if self.is_closed:
            return b""
        if self.exchange is not None:
            self.exchange.sent_ns = time.perf_counter_ns()
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            return data
        except OSError:
            return b""  # reading tells what came of it
        if sent == len(data):
            self._is_sending = False
        return data[sent:]

    async def write_rest(self, data: bytes) -> None:
        """See `Sender.write_rest`."""
        with suppress(httpx.WriteError):
            await self._write_all(data)

    async def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                try:
                    view = view[self._sock.send(view) :]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._sock)
        except (OSError, trio.ClosedResourceError) as error:
            raise httpx.WriteError("sending the request failed: the connection is gone") from error
        self._is_sending = False

    @types.coroutine
    def advance(self) -> Generator[object, Any, None]:
        """See `Connection.advance`: sleeps until `wake`.

        A plain generator, one deep: whoever waits for an answer waits here, for as long as it
        takes, and holds half a kilobyte less than in coroutines.
        """
        self._task = trio.lowlevel.current_task()
        given = yield make_trap(self._abort)
        if type(given) is CANCELLED:
            given.unwrap()

    def wake(self) -> None:
        """See `Connection.wake`."""
        task, self._task = self._task, None
        if task is not None:
            wake(task, None)

    def _abort(self, _: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def pause(self) -> None:
        """See `Connection.pause`."""
        if not self.is_paused and not self.is_closed:
            self.is_paused = True
            self._reactor.unwatch(self._fd)

    def resume(self) -> None:
        """See `Connection.resume`."""
        if self.is_paused and not self.is_closed:
            self.is_paused = False
            self._reactor.watch(self._fd)

    def release(self) -> None:
        """See `Connection.release`."""
        self.exchange = None
        self.resume()
        # A server may answer before it has read everything: what is left to send belongs to the
        # old request.
        if self.on_release is None or self._is_sending:
            self.close()
        else:
            self.on_release(self)

    def close(self) -> None:
        """See `Connection.close`."""
        if self.is_closed:
            return
        self._reactor.forget(self, self._fd)
        self.is_closed = True
        if self._is_sending:
            trio.lowlevel.notify_closing(self._sock)
        self._sock.close()
        if self.on_close is not None:
            self.on_close(self)

    def is_usable(self) -> bool:
        """Whether an idle connection is still open, as far as the kernel knows now."""
        if self.is_closed:
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        self.close()
        return False
