"""The connections to one origin: reuse, limits, and nothing left open.

Owns: the idle connections, and the count of those in use. A connection comes back only after a
clean end of body; every other end closes it. The newest idle connection is used first, so that the
oldest can age out.

Bounds: `ConnectionLimits`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import attrs
import httpx
import trio

from triollama.wire.reactor import ReactorConnection
from triollama.wire.task_connection import TaskConnection

AnyConnection = ReactorConnection | TaskConnection

FRESH_S = 0.1
"""For so long after an exchange a connection that is watched is taken to be open, in seconds: to
ask is a system call. The few that a server closes just then are lost early, which costs to send the
request again."""


@attrs.frozen
class ConnectionLimits:
    """How many connections to one origin, and for how long.

    Attributes:
        in_use_max: connections that carry an exchange, counted from the dialing on.
        idle_max: connections kept for reuse.
        idle_s: an idle connection is closed after this many seconds. Ollama itself never closes
            one, but what stands in between does: nginx after 75 s.
    """

    in_use_max: int = 16_384
    idle_max: int = 1_024
    idle_s: float = 60.0


@attrs.frozen
class ConnectionStatistics:
    """The connections to one origin.

    Attributes:
        in_use: those that carry an exchange or are being opened.
        idle: those that wait for the next one.
        opened: all that were ever opened.
        reused: how often an idle one was used again.
    """

    in_use: int
    idle: int
    opened: int
    reused: int


class ConnectionSet:
    """The connections to one origin.

    Args:
        dial: opens a connection.
        limits: see `ConnectionLimits`.
        now: a monotonic clock in seconds.
    """

    def __init__(
        self,
        dial: Callable[[], Awaitable[AnyConnection]],
        limits: ConnectionLimits,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        self._dial = dial
        self._limits = limits
        self._now = now
        # One for each connection in use, or about to be.
        self._permits = trio.Semaphore(limits.in_use_max)
        self._in_use: set[AnyConnection] = set()
        self._idle: deque[tuple[float, AnyConnection]] = deque()
        self._opened = 0
        self._reused = 0
        self._is_closed = False

    def statistics(self) -> ConnectionStatistics:
        """A snapshot."""
        in_use = self._limits.in_use_max - self._permits.value
        return ConnectionStatistics(in_use, len(self._idle), self._opened, self._reused)

    def reuse_nowait(self) -> AnyConnection | None:
        """An idle connection for one exchange, if there is one; see `acquire`."""
        if not self._idle or not self._permits.value:
            return None
        connection = self._take_idle()
        if connection is not None:
            self._permits.acquire_nowait()
            self._reused += 1
            self._in_use.add(connection)
        return connection

    def take_turn(self) -> bool:
        """Whether there is room for one more at once; if so, `acquire` must follow at once.

        Raises:
            httpx.ConnectError: the set is closed.
        """
        if self._is_closed:
            raise httpx.ConnectError("the transport is closed")
        if not self._permits.value:
            return False
        self._permits.acquire_nowait()
        return True

    async def wait_turn(self) -> None:
        """Wait until there is room for one more; `acquire` must follow at once.

        Raises:
            httpx.ConnectError: the set is closed.
        """
        await self._permits.acquire()
        if self._is_closed:
            self._permits.release()
            raise httpx.ConnectError("the transport is closed")

    async def acquire(self) -> tuple[AnyConnection, bool]:
        """A connection for one exchange, and whether it was used before; after its turn.

        It comes back by itself: through `Connection.release` or `Connection.close`. If cancelled,
        nothing stays open and the place is given up.

        Raises:
            httpx.ConnectError: a new one could not be opened, or the set is closed.
        """
        connection = self._take_idle()
        if connection is not None:
            self._reused += 1
            self._in_use.add(connection)
            return connection, True
        try:
            connection = await self._open()
        except BaseException:
            self._permits.release()
            raise
        self._opened += 1
        connection.on_release = self._take_back
        connection.on_close = self._forget
        self._in_use.add(connection)
        return connection, False

    def close_expired(self) -> None:
        """Close the connections that were idle for longer than `ConnectionLimits.idle_s`."""
        self._close_idle_since(self._now() - self._limits.idle_s)

    def close(self) -> None:
        """Close all of them, those in use included: their exchanges fail."""
        self._is_closed = True
        while self._idle:
            self._idle.pop()[1].close()
        for connection in list(self._in_use):
            assert connection.exchange is not None
            connection.exchange.abort()

    async def _open(self) -> AnyConnection:
        connection = await self._dial()
        if self._is_closed:
            connection.close()
            raise httpx.ConnectError("the transport was closed meanwhile")
        return connection

    def _take_idle(self) -> AnyConnection | None:
        now_s = self._now()
        self._close_idle_since(now_s - self._limits.idle_s)
        while self._idle:
            released_s, connection = self._idle.pop()
            is_fresh = connection.is_watched and now_s - released_s < FRESH_S
            if is_fresh or connection.is_usable():
                return connection
        return None

    def _close_idle_since(self, oldest_kept_s: float) -> None:
        while self._idle and self._idle[0][0] < oldest_kept_s:
            self._idle.popleft()[1].close()

    def _take_back(self, connection: AnyConnection) -> None:
        self._in_use.remove(connection)
        self._permits.release()
        self._idle.append((self._now(), connection))
        if len(self._idle) > self._limits.idle_max:
            self._idle.popleft()[1].close()

    def _forget(self, connection: AnyConnection) -> None:
        if connection in self._in_use:
            self._in_use.discard(connection)
            self._permits.release()
            return
        # Closed by the server while idle. Few are, so a search is cheaper than an index.
        for entry in self._idle:
            if entry[1] is connection:
                self._idle.remove(entry)
                return
