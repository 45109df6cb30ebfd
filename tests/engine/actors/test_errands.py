"""Work that several callers wait for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama._errors import EngineClosedError, EngineFaultError, StallError
from triollama.actors.errands import Errand, Errands


class Waiter:
    """Somebody who writes down what he is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, event: str, /) -> None:
        """Write it down."""
        self.told.append(event)

    def tell_ended(self) -> None:
        """Write that down."""
        self.told.append("ended")


@asynccontextmanager
async def running() -> AsyncIterator[Errands]:
    """The actor, for the time of a block."""
    errands = Errands()
    async with trio.open_nursery() as nursery:
        await nursery.start(errands.run)
        yield errands
        nursery.cancel_scope.cancel()


async def test_one_task_for_all_who_ask_for_the_same() -> None:
    """The second one joins, hears what comes from then on, and gets the same value."""
    go, began = trio.Event(), 0

    async def work(errand: Errand[str]) -> int:
        nonlocal began
        began += 1
        errand.tell("half")
        await go.wait()
        errand.tell("whole")
        return 5

    one, other, third = Waiter(), Waiter(), Waiter()
    async with running() as errands:
        first = errands.join("key", one, work)
        await wait_all_tasks_blocked()
        second = errands.join("key", other, work)
        apart = errands.join("other key", third, work)
        assert first is second is not apart
        assert first.is_shared
        assert not apart.is_shared
        assert first.latest == "half"
        go.set()
        await first.ended.wait()
        await apart.ended.wait()
    assert (first.value, first.error, began) == (5, None, 2)
    assert one.told == ["half", "whole", "ended"]
    assert other.told == ["whole", "ended"]


async def test_it_lasts_as_long_as_somebody_waits() -> None:
    """Who leaves hears no more; when the last one has left, the task is cancelled."""
    is_cancelled = False

    async def work(errand: Errand[str]) -> None:
        nonlocal is_cancelled
        try:
            await trio.sleep_forever()
        finally:
            is_cancelled = True

    one, other = Waiter(), Waiter()
    async with running() as errands:
        errand = errands.join("key", one, work)
        errands.join("key", other, work)
        await wait_all_tasks_blocked()
        assert errands.leave(errand, one)
        await wait_all_tasks_blocked()
        assert not is_cancelled
        assert not errands.leave(errand, other)
        assert not errands.leave(errand, other)
        assert errands.join("key", Waiter(), work) is not errand
        await errand.ended.wait()
    assert is_cancelled
    assert one.told == other.told == []


async def test_a_failure_is_for_all_who_wait_and_for_nobody_else() -> None:
    """Errors of ours as they are; a defect as a fault of the engine; others go on."""

    async def stall(errand: Errand[str]) -> None:
        raise StallError("stall_s", 1)

    async def crash(errand: Errand[str]) -> None:
        raise ZeroDivisionError

    async def wait(errand: Errand[str]) -> None:
        await trio.sleep_forever()

    async with running() as errands:
        stalled = errands.join(1, Waiter(), stall)
        crashed = errands.join(2, Waiter(), crash)
        waiting = errands.join(3, Waiter(), wait)
        await stalled.ended.wait()
        await crashed.ended.wait()
        assert not waiting.ended.is_set()
    assert isinstance(stalled.error, StallError)
    assert isinstance(crashed.error, EngineFaultError)
    assert isinstance(crashed.error.__cause__, ZeroDivisionError)
    assert isinstance(waiting.error, EngineClosedError)


async def test_closed_it_takes_none() -> None:
    """Before it runs, and after."""

    async def work(errand: Errand[str]) -> None:
        raise AssertionError

    with pytest.raises(EngineClosedError):
        Errands().join("key", Waiter(), work)
    async with running() as errands:
        pass
    with pytest.raises(EngineClosedError):
        errands.join("key", Waiter(), work)
