"""What the asyncio peers share: start the readers, wait, take the window, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import NoReturn

from benchmarks.clients import window
from benchmarks.measure import Meter, Tally, leave
from benchmarks.plan import Plan

take_window = partial(window.take_window, asyncio.sleep)
"""See `window.take_window`."""


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
        taken = take_window(plan, meter, lambda: tally.open == tasks, lambda: tally.count)
        leave(await taken)
