"""`run_load`: a plan becomes a result."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version

import msgspec
import trio

from triollama_adapters.loadtest.arrivals.schedule import fit_window
from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Environment, Event, Result
from triollama_adapters.loadtest.running.generate import generate
from triollama_adapters.loadtest.running.limits import check_descriptors
from triollama_adapters.loadtest.running.links import Make
from triollama_adapters.loadtest.running.looks import HostLooks, ServerLooks
from triollama_adapters.loadtest.running.processes import invalidated, run_in_processes
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.targets.preflight import preflight
from triollama_adapters.loadtest.workload.checks import check_plan

__all__ = ["environment_of", "run_load"]


async def run_load(
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
    facts: Facts | None = None,
    floor: float | None = None,
    name: str = "",
    command: str = "",
    events: Sequence[Event] = (),
    make: Make | None = None,
) -> Result:
    """Put a plan's load on its target, and say what was found.

    Args:
        plan: what to do; where a trace ends before its window, so does the window.
        on_progress: told about twice a second how far it is; must not wait.
        sink: given every sample as it ends.
        stop: when it is set, the load ends at once and the result tells what there was so far.
        facts: what `preflight` found before, of the same target; None lets it look now.
        floor: what `null_server.measure_floor` found; None if it was not measured.
        name: what a comparison and a page call the result.
        command: to repeat it, for the report.
        events: a sequence that others may go on adding to while the load runs, such as faults.
        make: makes the load; None: this process, or several of this machine.

    Raises:
        PlanError: the plan means nothing, or this machine cannot carry it out.
        TraceError: the trace cannot be read.
        TargetError: an endpoint does not answer, does not have the model, or dies in the warm-up.
    """
    check_plan(plan)
    plan = fit_window(plan)
    check_descriptors(plan)
    facts = await preflight(plan) if facts is None else facts
    clock, tally = RunClock(), Tally(plan, facts.baselines())
    stop = trio.Event() if stop is None else stop
    looks, host = ServerLooks(plan, clock), HostLooks(clock)
    reasons: tuple[str, ...] = ()
    raised: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(looks.run)
        nursery.start_soon(host.run)
        try:
            here: Make = _make_here if plan.processes == 1 else run_in_processes
            reasons = await (make or here)(
                plan, tally, clock, facts=facts, on_progress=on_progress, sink=sink, stop=stop
            )
        except Exception as error:  # noqa: BLE001 - raised again below, not in a group
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
    result = conclude(
        _without_secrets(plan),
        tally,
        environment=environment_of(facts, command=command),
        name=name,
        began_at=clock.began_at.astimezone().isoformat(timespec="milliseconds"),
        is_stopped=stop.is_set(),
        floor=floor,
        loaded=looks.loaded,
        host=host.looks,
        events=tuple(events),
    )
    return invalidated(result, reasons)


async def _make_here(
    plan: Plan,
    tally: Tally,
    clock: RunClock,
    *,
    facts: Facts,
    on_progress: Callable[[Progress], None] | None,
    sink: SampleSink | None,
    stop: trio.Event | None,
) -> tuple[str, ...]:
    """The load of a single process, in this one."""
    await generate(plan, tally, clock, facts=facts, on_progress=on_progress, sink=sink, stop=stop)
    return ()


def environment_of(facts: Facts, *, command: str = "") -> Environment:
    """Where it runs.

    Args:
        facts: of the servers.
        command: to repeat it.
    """
    return Environment(
        triollama=version("triollama"),
        python=platform.python_version(),
        system=platform.platform(terse=True),
        cpus=os.cpu_count() or 1,
        servers={each.name: each.version for each in facts.endpoints},
        command=command,
    )


def _without_secrets(plan: Plan) -> Plan:
    target = msgspec.structs.replace(plan.target, headers={})
    return msgspec.structs.replace(plan, target=target)
