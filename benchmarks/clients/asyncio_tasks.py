"""What the asyncio peers share: start the readers, wait, take the window, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import NoReturn

from benchmarks.measure import STEP_S, Measurement, Meter, Tally, leave
from benchmarks.plan import Plan


async def run_readers(
    plan: Plan, tasks: int, reader: Callable[[Tally], Coroutine[None, None, None]]
) -> NoReturn:
    """Run readers as tasks, measure while all of them are open, and `leave`.

    Args:
        plan: The times; its window starts once ``tally.open`` has reached ``tasks``.
        tasks: How many readers.
        reader: Reads for ever, counting in the tally that it is given.

    Raises:
        Exception: What the first failing reader raised.
    """
    tally, meter = Tally(), Meter()
    meter.note_memory()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(reader(tally))
        window = take_window(plan, meter, lambda: tally.open == tasks, lambda: tally.count)
        leave(await window)


async def take_window(
    plan: Plan, meter: Meter, is_flowing: Callable[[], bool], count: Callable[[], int]
) -> Measurement:
    """Wait until the load is what it should be, let it settle, and measure.

    Args:
        plan: The times.
        meter: What measures.
        is_flowing: Whether the load is there; asked again and again until it is.
        count: What has arrived so far.
    """
    # Before the window opens, a poll costs nothing that is measured.
    while not is_flowing():  # noqa: ASYNC110
        await asyncio.sleep(STEP_S)
    await asyncio.sleep(plan.settle_s)
    meter.begin(count())
    await asyncio.sleep(plan.window_s)
    return meter.end(count())
