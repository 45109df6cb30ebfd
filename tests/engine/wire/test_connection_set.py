"""The bookkeeping of connections, on fakes and a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
import trio

from triollama.wire.connection_set import ConnectionLimits, ConnectionSet, ConnectionStatistics


class FakeExchange:
    """Ends its connection when aborted."""

    def __init__(self, connection: FakeConnection) -> None:
        self._connection = connection

    def abort(self) -> None:
        """As an exchange does."""
        self._connection.close()


class FakeConnection:
    """A connection without a socket."""

    def __init__(self) -> None:
        self.exchange: FakeExchange | None = FakeExchange(self)
        self.is_closed = False
        self.is_alive = True
        self.is_watched = False
        self.on_release: Callable[[FakeConnection], None] | None = None
        self.on_close: Callable[[FakeConnection], None] | None = None

    def release(self) -> None:
        """End an exchange cleanly."""
        self.on_release(self)

    def close(self) -> None:
        """As both kinds of connection do."""
        if not self.is_closed:
            self.is_closed = True
            if self.on_close is not None:
                self.on_close(self)

    def is_usable(self) -> bool:
        """As both kinds of connection do."""
        if not self.is_alive:
            self.close()
        return not self.is_closed


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


async def dial() -> FakeConnection:
    """A new connection, at once."""
    await trio.lowlevel.checkpoint()
    return FakeConnection()


def make(**limits: float) -> tuple[ConnectionSet, Clock]:
    """A set that dials fakes."""
    clock = Clock()
    return ConnectionSet(dial, ConnectionLimits(**limits), clock), clock


async def acquire(connections: ConnectionSet) -> FakeConnection:
    """One connection."""
    await connections.wait_turn()
    return (await connections.acquire())[0]


async def test_the_newest_idle_connection_is_used_first() -> None:
    """So that the oldest can age out."""
    connections, clock = make(idle_s=10)
    old, new = await acquire(connections), await acquire(connections)
    old.release()
    clock.now_s = 6.0
    new.release()
    assert await acquire(connections) is new
    clock.now_s = 10.0
    connections.close_expired()
    assert not old.is_closed
    clock.now_s = 10.001
    connections.close_expired()
    assert old.is_closed
    assert connections.statistics() == ConnectionStatistics(in_use=1, idle=0, opened=2, reused=1)


async def test_dead_idle_connections_are_skipped() -> None:
    """Every idle one is asked before a new one is opened."""
    connections, _ = make()
    first, second, third = [await acquire(connections) for _ in range(3)]
    for each in (first, second, third):
        each.release()
    third.is_alive = second.is_alive = False
    assert await acquire(connections) is first
    assert (second.is_closed, third.is_closed) == (True, True)
    assert connections.statistics().idle == 0


@pytest.mark.parametrize(
    ("idle_s", "is_watched", "is_asked"),
    [(0.09, True, False), (0.11, True, True), (0.0, False, True)],
)
async def test_one_that_is_watched_is_not_asked_in_the_first_moment(
    idle_s: float, *, is_watched: bool, is_asked: bool
) -> None:
    """What happened since is then lost early, and sent again."""
    connections, clock = make()
    first = await acquire(connections)
    first.is_watched = is_watched
    first.release()
    first.is_alive = False
    clock.now_s += idle_s
    assert (connections.reuse_nowait() is None) == is_asked
    assert first.is_closed == is_asked


async def test_an_idle_connection_that_closes_itself_is_forgotten() -> None:
    """Whichever of several it is; the place of one in use is not touched."""
    connections, _ = make()
    first, second, third, busy = [await acquire(connections) for _ in range(4)]
    for each in (first, second, third):
        each.release()
    second.close()
    counts = connections.statistics()
    assert (counts.in_use, counts.idle) == (1, 2)
    busy.close()
    assert connections.statistics().in_use == 0


async def test_a_dial_that_fails_gives_its_place_back() -> None:
    """With the only place, the next one can try again."""

    async def refuse() -> FakeConnection:
        raise httpx.ConnectError("refused")

    connections = ConnectionSet(refuse, ConnectionLimits(in_use_max=1))
    for _ in range(3):
        with pytest.raises(httpx.ConnectError, match="refused"):
            await acquire(connections)
    assert connections.statistics() == ConnectionStatistics(in_use=0, idle=0, opened=0, reused=0)


async def test_a_connection_that_opens_after_the_end_is_closed() -> None:
    """`close` does not wait for who is still dialing, nor leave them one."""

    async def slow() -> FakeConnection:
        await go_on.wait()
        made.append(FakeConnection())
        return made[-1]

    async def run() -> None:
        with pytest.raises(httpx.ConnectError, match="closed"):
            await acquire(connections)

    go_on = trio.Event()
    made: list[FakeConnection] = []
    connections = ConnectionSet(slow, ConnectionLimits())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        connections.close()
        go_on.set()
    assert made[0].is_closed
    assert connections.statistics().in_use == 0
    await run()
    assert len(made) == 1


async def test_closing_closes_all_of_them() -> None:
    """Those in use fail, those idle end."""
    connections, _ = make()
    busy, idle = await acquire(connections), await acquire(connections)
    idle.release()
    connections.close()
    assert (busy.is_closed, idle.is_closed) == (True, True)
    counts = connections.statistics()
    assert (counts.in_use, counts.idle) == (0, 0)
