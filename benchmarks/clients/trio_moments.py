"""The tasks about time, for clients on trio: delays, opening at once, cancelling at once."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import attrs
import trio

from benchmarks.clients.moments import AFTER_S, Arrivals, Held, Take, count_sockets
from benchmarks.measure import Measurement, Meter
from benchmarks.plan import Plan

Reader = Callable[[Take], Awaitable[None]]
"""Opens one stream and reads it, calling the function with each text, until it is cancelled."""

PROBED_S = 0.2
"""For what a client does by itself when it starts: the connections of that are not its streams'."""


def _no_slots() -> int:
    return 0


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
    is_open = trio.Event()
    arrivals, meter = Arrivals(streams, is_open.set), Meter()
    async with trio.open_nursery() as nursery:
        meter.begin()
        for _ in range(streams):
            nursery.start_soon(reader, arrivals.taker())
        await is_open.wait()
        measurement = meter.end(arrivals.count)
        nursery.cancel_scope.cancel()
    return measurement


async def cancelling(
    plan: Plan, reader: Reader, count_slots: Callable[[], int] = _no_slots
) -> Measurement:
    """Cancel all streams at once, while they flow, and look at what is left of them.

    Args:
        plan: The load and the times.
        reader: See `Reader`.
        count_slots: Returns what `Held.slots` counts.
    """
    await trio.sleep(PROBED_S)
    before = _held(count_slots)
    _, measurement, cancelled_s = await _flow(plan, reader)
    await trio.sleep(AFTER_S)
    leaked = _held(count_slots).leaked_since(before)
    return attrs.evolve(measurement, figures={"cancelled_s": cancelled_s, **leaked})


async def _flow(
    plan: Plan, reader: Reader, *, is_stamped: bool = False
) -> tuple[Arrivals, Measurement, float]:
    """Take the window while all streams flow; returns when they were cancelled, too."""
    is_open = trio.Event()
    arrivals, meter = Arrivals(plan.streams, is_open.set, is_stamped=is_stamped), Meter()
    async with trio.open_nursery() as nursery:
        for _ in range(plan.streams):
            nursery.start_soon(reader, arrivals.taker())
        await is_open.wait()
        await trio.sleep(plan.settle_s)
        meter.begin(arrivals.count)
        await trio.sleep(plan.window_s)
        measurement = meter.end(arrivals.count)
        cancelled_s = time.monotonic()
        nursery.cancel_scope.cancel()
    return arrivals, measurement, cancelled_s


def _held(count_slots: Callable[[], int]) -> Held:
    return Held(
        tasks=trio.lowlevel.current_statistics().tasks_living,
        sockets=count_sockets(),
        slots=count_slots(),
    )
