"""The window in which a client is measured, on any event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from benchmarks.measure import STEP_S, Measurement, Meter
from benchmarks.plan import Plan

Sleep = Callable[[float], Awaitable[None]]
"""Waits so many seconds, as the event loop of the client does."""


async def take_window(
    sleep: Sleep,
    plan: Plan,
    meter: Meter,
    is_flowing: Callable[[], bool],
    count: Callable[[], int],
) -> Measurement:
    """Wait until the load is what it should be, let it settle, and measure.

    Args:
        sleep: See `Sleep`.
        plan: The times.
        meter: What measures.
        is_flowing: Whether the load is there; asked again and again until it is.
        count: What has arrived so far.
    """
    # Before the window opens, a poll costs nothing that is measured.
    while not is_flowing():
        await sleep(STEP_S)
    await sleep(plan.settle_s)
    meter.begin(count())
    await sleep(plan.window_s)
    return meter.end(count())
