"""`generate`: the load of one process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["generate"]


async def generate(
    plan: Plan,
    tally: Any,
    clock: RunClock,
    *,
    facts: Facts,
    process: int = 0,
    go: Callable[[], Awaitable[int]] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
) -> None:
    """Make this process's share of a plan's load, until the drain is over.

    Args:
        plan: the whole run's.
        tally: a `measures.Tally`, which every sample and note is added to.
        clock: of the run; begun by this, when `go` says.
        facts: what `preflight` found.
        process: which of the plan's processes this is, from 0.
        go: awaited when all is ready; gives the run's beginning on ``perf_counter_ns``. None begins
            at once.
        on_progress: see `run_load`.
        sink: the same.
        stop: the same.

    Raises:
        TargetError: all that was asked in the warm-up failed.
    """
    raise NotImplementedError
