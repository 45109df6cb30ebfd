"""`generate`: the load of one process.

In an open loop, sessions begin when they are due, whatever becomes of those before them; one that
finds no socket is unsent. In a closed loop each user takes the next session when the last one has
ended. A conversation goes on until its turns are over, or until the schedule is. Then comes the
drain; what is still under way at its end is cut off, and censored.

Owns the tasks of the sessions. Whoever cancels it loses what was under way; `stop` does not.
"""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Final

import httpx
import trio

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.ahead import SessionsAhead
from triollama_adapters.loadtest.running.asking import Asking, Notes
from triollama_adapters.loadtest.running.lag import Lag
from triollama_adapters.loadtest.running.looks import ServerLooks
from triollama_adapters.loadtest.running.progress import Meter, Progress, SampleSink
from triollama_adapters.loadtest.running.shaping import Load
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.targets.open import open_target
from triollama_adapters.loadtest.workload.making import make_sessions

__all__ = ["generate"]

LEAD_NS: Final = 50_000_000
"""From readiness to the run's beginning."""

PROGRESS_S: Final = 0.5

CPU_S: Final = 0.25

GC_THRESHOLDS: Final = (2_000, 500, 1_000)
"""When Python looks for cycles. It stops everything for as long as it takes to look: the youngest
2,000 objects are done in half a millisecond, all of 5,000 streams would take 50. A request that is
answered leaves no cycle behind, so that the older ones can wait."""


async def generate(
    plan: Plan,
    tally: Tally,
    clock: RunClock,
    *,
    facts: Facts,
    process: int = 0,
    go: Callable[[], Awaitable[int]] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Make this process's share of a plan's load, until the drain is over.

    Args:
        plan: the whole run's.
        tally: every sample and note is added to it.
        clock: of the run; begun by this, when `go` says.
        facts: what `preflight` found.
        process: which of the plan's processes this is, from 0.
        go: awaited when all is ready; gives the run's beginning on ``perf_counter_ns``. None begins
            at once.
        on_progress: see `run_load`.
        sink: the same.
        stop: the same.
        transport: see `open_target`.

    Raises:
        TargetError: the target died in the warm-up.
        PlanError: prompts cannot be made.
        TraceError: the trace cannot be read.
    """
    sessions = SessionsAhead(make_sessions(plan, process=process, lengths=facts.lengths()))
    sessions.fill()
    stop = trio.Event() if stop is None else stop
    notes = Notes(tally, Meter(plan), Lag(), ServerLooks(plan, clock, transport), sink)
    opening = open_target(plan, clock, transport=transport)
    async with opening as asker, _beside(notes.lag.run, notes.looks.run):
        asking = Asking(plan, process, clock, asker, notes)
        with _calm_collector():
            clock.begin(await go() if go else time.perf_counter_ns() + LEAD_NS)
            note_cpu = partial(_note_cpu, tally, clock, process)
            async with _beside(partial(_tell, asking, on_progress), note_cpu):
                load = Load(plan, process, clock, asking, sessions, stop)
                await load.run()
        if on_progress is not None:
            on_progress(asking.progress(is_over=True))


async def _tell(asking: Asking, on_progress: Callable[[Progress], None] | None) -> None:
    """Tell how far it is, until cancelled."""
    while on_progress is not None:
        on_progress(asking.progress())
        await trio.sleep(PROGRESS_S)


async def _note_cpu(tally: Tally, clock: RunClock, process: int) -> None:
    """Note the CPU time of this process, until cancelled."""
    while True:
        tally.note_cpu(process, clock.now_ns(), time.process_time_ns())
        await trio.sleep(CPU_S)


@contextmanager
def _calm_collector() -> Iterator[None]:
    """Spare the load the garbage collector's looks at what is there from the start."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@asynccontextmanager
async def _beside(*tasks: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run these for the time of a block; an exception of the block comes out bare."""
    raised: Exception | None = None
    async with trio.open_nursery() as nursery:
        for each in tasks:
            nursery.start_soon(each)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
