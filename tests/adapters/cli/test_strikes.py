"""Servers are struck only in the middle of enough streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama_adapters.cli._readers import Reader
from triollama_adapters.cli._strikes import AFTER_S, CHUNKS_MIN, Strikes


class Servers:
    """Notes what is done to them, and when."""

    def __init__(self) -> None:
        self.killed: list[tuple[str, float]] = []
        self.stopped: list[tuple[str, float]] = []

    def kill(self, name: str) -> None:
        """One is killed."""
        self.killed.append((name, trio.current_time()))

    def stop(self, name: str) -> None:
        """One is stopped."""
        self.stopped.append((name, trio.current_time()))


@pytest.fixture
def servers() -> Servers:
    """Nothing was done yet."""
    return Servers()


def strikes_on(servers: Servers, readers: list[Reader]) -> Strikes:
    """The strikes of three servers."""
    names = ["a:1", "b:1", "c:1"]
    return Strikes(readers, names, kill=servers.kill, stop=servers.stop)


async def test_the_busiest_is_killed_then_another_is_stopped(
    servers: Servers, reader: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """The one that is left has nothing done to it; the numbers are those of the moment."""
    readers = [reader(name, CHUNKS_MIN) for name in ("a:1", "b:1", "b:1", "b:1", "c:1", "c:1")]
    strikes = strikes_on(servers, readers)
    await strikes.run(3)
    [(killed, killed_s)], [(stopped, stopped_s)] = servers.killed, servers.stopped
    assert (killed, stopped) == ("b:1", "c:1")
    assert stopped_s - killed_s == pytest.approx(AFTER_S)
    assert strikes.killed is not None
    assert strikes.stalled is not None
    assert (len(strikes.killed.readers), len(strikes.stalled.readers)) == (3, 2)
    assert [strikes.state_of(name) for name in "abc"] == ["runs"] * 3
    assert [strikes.state_of(f"{name}:1") for name in "abc"] == ["runs", "killed", "stopped"]


@pytest.mark.parametrize(
    "lacks",
    [
        {"chunks": CHUNKS_MIN - 1},
        {"chunks": CHUNKS_MIN, "is_whole": True},
        {"chunks": CHUNKS_MIN, "error": "StreamBrokenError: gone"},
        {"chunks": CHUNKS_MIN, "endpoint": ""},
    ],
)
async def test_never_before_enough_streams_run(
    servers: Servers,
    reader: Callable[..., Any],
    autojump_clock: MockClock,
    lacks: dict[str, Any],
) -> None:
    """One that has hardly begun, is done, has failed or runs nowhere does not count."""
    readers = [reader("a:1", CHUNKS_MIN), reader(**{"endpoint": "a:1"} | lacks)]
    strikes = strikes_on(servers, readers)
    with trio.move_on_after(100):
        await strikes.run(2)
    assert (servers.killed, strikes.killed) == ([], None)
    strikes.end()
    assert strikes.waits_s == {}


async def test_waits_are_told_by_strike(
    servers: Servers, reader: Callable[..., Any], autojump_clock: MockClock
) -> None:
    """A reader's pause belongs to the strike that it followed, and one from before to none."""
    killed, stalled = reader("a:1", CHUNKS_MIN), reader("b:1", CHUNKS_MIN)
    began_s = trio.current_time()
    for each in (killed, stalled):
        each.take("late", began_s - 9)
        each.take("now", began_s)
    strikes = strikes_on(servers, [killed, stalled])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(strikes.run, 1)
        await trio.sleep(0.3)
        killed.take("again", trio.current_time())
        killed.is_whole = True
        await trio.sleep(AFTER_S + 1)
        stalled.take("again", trio.current_time())
        stalled.is_whole = True
    strikes.end()
    assert strikes.waits_s["killed"] == pytest.approx([0.3])
    assert strikes.waits_s["stalled"] == pytest.approx([AFTER_S + 1.3])
