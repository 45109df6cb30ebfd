"""What the trio peers share: start the readers, wait, take the window, cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from benchmarks.measure import STEP_S, Measurement, Meter, Tally
from benchmarks.plan import Plan


async def run_readers(
    plan: Plan, tasks: int, reader: Callable[[Tally], Awaitable[None]]
) -> Measurement:
    """Run readers as tasks and measure while all of them are open.

    Args:
        plan: The times; its window starts once ``tally.open`` has reached ``tasks``.
        tasks: How many readers.
        reader: Reads for ever, counting in the tally that it is given.

    Raises:
        ExceptionGroup: What the readers raised.
    """
    tally, meter = Tally(), Meter()
    meter.note_memory()
    async with trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(reader, tally)
        # Before the window opens, a poll costs nothing that is measured.
        while tally.open < tasks:  # noqa: ASYNC110
            await trio.sleep(STEP_S)
        await trio.sleep(plan.settle_s)
        meter.begin(tally.count)
        await trio.sleep(plan.window_s)
        measurement = meter.end(tally.count)
        nursery.cancel_scope.cancel()
    return measurement
