"""What the trio peers share: start the readers, wait, take the window, cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import trio

from benchmarks.clients import window
from benchmarks.measure import Meter, Tally, leave
from benchmarks.plan import Plan

take_window = partial(window.take_window, trio.sleep)
"""See `window.take_window`."""


async def run_readers(
    plan: Plan, tasks: int, reader: Callable[[Tally], Awaitable[None]]
) -> NoReturn:
    """Run readers as tasks, measure while all of them are open, and `leave`.

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
        taken = take_window(plan, meter, lambda: tally.open == tasks, lambda: tally.count)
        leave(await taken)
