"""The tasks about time, for the peers on asyncio: delays, opening at once, cancelling at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine

import attrs

from benchmarks.clients.moments import AFTER_S, Arrivals, Held, Take, count_sockets
from benchmarks.measure import Measurement, Meter
from benchmarks.plan import Plan

Reader = Callable[[Take], Coroutine[None, None, None]]
"""Opens one stream and reads it, calling the function with each text, until it is cancelled."""


async def delays(plan: Plan, reader: Reader) -> Measurement:
    """Hold stamped streams open and note how long after its sending each chunk is there."""
    arrivals, measurement, _ = await _flow(plan, reader, is_stamped=True)
    return arrivals.with_delays(measurement)


async def opening(plan: Plan, reader: Reader) -> Measurement:
    """Open all streams at once; the window ends with the first chunk of the last one."""
    # One alone before: what a client imports or makes at its first request is not what is asked.
    await _open(1, reader)
    return await _open(plan.streams, reader)


async def _open(streams: int, reader: Reader) -> Measurement:
    is_open = asyncio.Event()
    arrivals, meter = Arrivals(streams, is_open.set), Meter()
    async with asyncio.TaskGroup() as group:
        meter.begin()
        readers = [group.create_task(reader(arrivals.taker())) for _ in range(streams)]
        await is_open.wait()
        measurement = meter.end(arrivals.count)
        for task in readers:
            task.cancel()
    return measurement


async def cancelling(plan: Plan, reader: Reader) -> Measurement:
    """Cancel all streams at once, while they flow, and look at what is left of them."""
    before = _held()
    _, measurement, cancelled_s = await _flow(plan, reader)
    await asyncio.sleep(AFTER_S)
    leaked = _held().leaked_since(before)
    return attrs.evolve(measurement, figures={"cancelled_s": cancelled_s, **leaked})


async def _flow(
    plan: Plan, reader: Reader, *, is_stamped: bool = False
) -> tuple[Arrivals, Measurement, float]:
    """Take the window while all streams flow; returns when they were cancelled, too."""
    is_open = asyncio.Event()
    arrivals, meter = Arrivals(plan.streams, is_open.set, is_stamped=is_stamped), Meter()
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(reader(arrivals.taker())) for _ in range(plan.streams)]
        await is_open.wait()
        await asyncio.sleep(plan.settle_s)
        meter.begin(arrivals.count)
        await asyncio.sleep(plan.window_s)
        measurement = meter.end(arrivals.count)
        cancelled_s = time.monotonic()
        for task in readers:
            task.cancel()
    return arrivals, measurement, cancelled_s


def _held() -> Held:
    return Held(tasks=len(asyncio.all_tasks()), sockets=count_sockets())
