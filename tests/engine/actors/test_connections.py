"""The owner of the transports sweeps, survives, and closes at the end."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama.actors.connections import SWEEPS_PER_IDLE_TIME, Connections


class FakeTransport:
    """Counts what is asked of it."""

    def __init__(self) -> None:
        self.sweeps = 0
        self.is_closed = False
        self.error: Exception | None = None

    def close_expired(self) -> None:
        """A sweep."""
        self.sweeps += 1
        if self.error is not None:
            raise self.error

    def close_nowait(self) -> None:
        """The end."""
        self.is_closed = True


async def test_sweeps_until_cancelled_and_then_closes(autojump_clock: MockClock) -> None:
    """It sweeps several times per idle time, and closes all when it is stopped."""
    fakes: Any = [FakeTransport(), FakeTransport()]
    with trio.move_on_after(60.001):
        await Connections(fakes, 60.0).run()
    assert [fake.sweeps for fake in fakes] == [SWEEPS_PER_IDLE_TIME] * 2
    assert all(fake.is_closed for fake in fakes)


async def test_a_crash_closes_nothing(autojump_clock: MockClock) -> None:
    """It will be started again: what is open then still serves."""
    fakes: Any = [FakeTransport()]
    connections = Connections(fakes, 1.0)
    fakes[0].error = LookupError()
    with pytest.raises(LookupError):
        await connections.run()
    assert not fakes[0].is_closed
    fakes[0].error = None
    with trio.move_on_after(10):
        await connections.run()
    assert fakes[0].is_closed
