"""What the asyncio peers share: start the readers, wait, take the window, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from benchmarks.measure import STEP_S, Measurement, Meter, Tally
from benchmarks.plan import Plan


async def run_readers(
    plan: Plan, tasks: int, reader: Callable[[Tally], Coroutine[None, None, None]]
) -> Measurement:
    """Run readers as tasks and measure while all of them are open.

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
        readers = [group.create_task(reader(tally)) for _ in range(tasks)]
        # Before the window opens, a poll costs nothing that is measured.
        while tally.open < tasks:  # noqa: ASYNC110
            await asyncio.sleep(STEP_S)
        await asyncio.sleep(plan.settle_s)
        meter.begin(tally.count)
        await asyncio.sleep(plan.window_s)
        measurement = meter.end(tally.count)
        for task in readers:
            task.cancel()
    return measurement
