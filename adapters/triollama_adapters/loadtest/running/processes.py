"""The load of one run from several processes of this machine: what `generate` does, many times.

Draft of the signatures; `run_load` calls `run_in_processes` where a plan has more than one process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["run_in_processes"]


async def run_in_processes(
    plan: Plan,
    tally: Any,
    clock: RunClock,
    *,
    facts: Facts,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
) -> tuple[str, ...]:
    """Make a plan's load with ``plan.processes`` worker processes, until the drain is over.

    Args:
        plan: the whole run's; see `processes_for` for ``auto``.
        tally: the tallies of the workers are merged into it.
        clock: of the run; begun by this when all workers are ready.
        facts: what `preflight` found.
        on_progress: given a merged `Progress`, see `run_load`.
        sink: given every sample of every worker; None sends none of them.
        stop: when it is set, every worker ends its load at once, and what there is is merged.

    Returns:
        Why the result is INVALID, one line each: workers that died or hung. Empty if all did their
        part.

    Raises:
        LoadTestError: no worker could do its part; what the first of them said.
    """
    raise NotImplementedError
