"""The load of one run from several processes of this machine: what `generate` does, many times.

Owns the processes that it starts: however the run ends, they are killed by their id, and they end
by themselves when this process dies, because their input then ends. All of them have one beginning
on ``perf_counter_ns``, which is one clock for all processes of a machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import trio

from triollama_adapters.loadtest.errors import LoadTestError
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.crew import Crew
from triollama_adapters.loadtest.running.frames import Begin
from triollama_adapters.loadtest.running.links import LinkLostError, Watcher
from triollama_adapters.loadtest.running.pipes import PipeLink
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["WORKER", "invalidated", "run_in_processes"]

WORKER: Final = (sys.executable, "-m", "triollama_adapters.loadtest.running.worker")

END_S: Final = 5.0
"""How long killed workers may take to be gone."""


async def run_in_processes(
    plan: Plan,
    tally: Tally,
    clock: RunClock,
    *,
    facts: Facts,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
    command: Sequence[str] = WORKER,
) -> tuple[str, ...]:
    """Make a plan's load with ``plan.processes`` worker processes, until the drain is over.

    If cancelled, the processes are killed, and what they counted is lost.

    Args:
        plan: the whole run's; see `useful.useful_processes` for ``auto``.
        tally: the tallies of the workers are merged into it.
        clock: of the run; begun by this when all workers are ready.
        facts: what `preflight` found.
        on_progress: given a merged `Progress`, see `run_load`.
        sink: given every sample of every worker; None sends none of them.
        stop: when it is set, every worker ends its load at once, and what there is is merged.
        command: starts a worker.

    Returns:
        Why the result is INVALID, one line each: workers that died or hung; see `invalidated`.
        Empty if all did their part.

    Raises:
        LoadTestError: a worker could not be started, or no worker could do its part. `PlanError`
            and `TargetError` are raised as a worker raised them.
    """
    watcher = Watcher(on_progress=on_progress, sink=sink, stop=stop)
    links = [PipeLink(command) for _ in range(plan.processes)]
    data = msgspec.json.encode(plan)
    try:
        for number, link in enumerate(links):
            first = Begin(data, number, facts, with_samples=sink is not None)
            await _start(link, first, f"process {number + 1} of {len(links)}")
        return await Crew(plan, tally, clock, watcher).run(links)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + END_S):
            for link in links:
                link.kill()
            for link in links:
                await link.aclose()


async def _start(link: PipeLink, first: Begin, name: str) -> None:
    try:
        await link.start(first)
    except LinkLostError as error:
        raise LoadTestError(f"{name} {error.why}") from error


def invalidated(result: Result, reasons: Sequence[str]) -> Result:
    """A result that is INVALID for these reasons, before its own; as it is if there are none."""
    if not reasons:
        return result
    told = (*reasons, *result.client.reasons)
    client = msgspec.structs.replace(result.client, validity="INVALID", reasons=told)
    return msgspec.structs.replace(result, client=client)
