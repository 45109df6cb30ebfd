"""Sleeping on one trap again and again."""

from __future__ import annotations

import gc
import weakref

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama.wire.parking import make_trap, sleep_on, wake


class Bed:
    """One sleeper on one trap."""

    def __init__(self) -> None:
        self.trap = make_trap(self._abort)
        self.task: trio.lowlevel.Task | None = None

    def _abort(self, _: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def sleep(self) -> None:
        """Sleep until woken."""
        self.task = trio.lowlevel.current_task()
        await sleep_on(self.trap)

    def wake(self) -> None:
        """Wake the sleeper."""
        assert self.task is not None
        task, self.task = self.task, None
        wake(task, None)


async def test_woken_many_times_on_one_trap(nursery: trio.Nursery) -> None:
    """A trap can be slept on a thousand times, by one task after another."""
    bed = Bed()
    woken = 0

    async def sleep_often() -> None:
        nonlocal woken
        for _ in range(500):
            await bed.sleep()
            woken += 1

    for _ in range(2):
        nursery.start_soon(sleep_often)
        await wait_all_tasks_blocked()
        for _ in range(500):
            bed.wake()
            await wait_all_tasks_blocked()
    assert woken == 1_000


async def test_cancelled_asleep_and_slept_on_again(nursery: trio.Nursery) -> None:
    """A cancelled sleep raises Cancelled and leaves the trap usable."""
    bed = Bed()
    with trio.move_on_after(0.001) as scope:
        await bed.sleep()
    assert scope.cancelled_caught
    assert bed.task is None
    nursery.start_soon(bed.sleep)
    await wait_all_tasks_blocked()
    bed.wake()


async def test_woken_wins_over_cancelled(nursery: trio.Nursery) -> None:
    """A sleeper that was woken first is not cancelled in this sleep."""
    bed = Bed()
    scope = trio.CancelScope()
    ended = []

    async def sleep() -> None:
        with scope:
            await bed.sleep()
            ended.append("woken")

    nursery.start_soon(sleep)
    await wait_all_tasks_blocked()
    bed.wake()
    scope.cancel()
    await wait_all_tasks_blocked()
    assert ended == ["woken"]
    assert not scope.cancelled_caught


async def test_waking_twice_is_a_defect(nursery: trio.Nursery) -> None:
    """The caller must forget the task when it wakes it: trio refuses a second time."""
    bed = Bed()
    nursery.start_soon(bed.sleep)
    await wait_all_tasks_blocked()
    task = bed.task
    assert task is not None
    bed.wake()
    with pytest.raises(AssertionError):
        wake(task, None)


def test_a_trap_holds_nothing_but_its_function() -> None:
    """An owner that is dropped can go, its trap with it."""
    gc.collect()
    bed = Bed()
    gone = weakref.ref(bed)
    del bed
    gc.collect()
    assert gone() is None
