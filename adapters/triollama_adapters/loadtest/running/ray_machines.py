"""The load of one run from the machines of a Ray cluster (the extra ``ray``).

Owns the workers, which are Ray actors, and kills them when the run ends, however it ends. All have
one beginning, for which their clocks are compared: see `ray_links`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Event, Result
from triollama_adapters.loadtest.running.crew import Crew
from triollama_adapters.loadtest.running.frames import Begin
from triollama_adapters.loadtest.running.links import LinkLostError, Watcher
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.running.ray_hand import CALLS_MAX, RayHand
from triollama_adapters.loadtest.running.ray_links import RayLink
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.ray.errors import RayWorkersError
from triollama_adapters.ray.fleet import LOCAL, Endpoint, Machine, RayFleet
from triollama_adapters.ray.session import LOCAL_WORKERS, open_session

__all__ = ["run_load_on_ray"]


async def run_load_on_ray(
    plan: Plan,
    fleet: RayFleet,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
    **options: Any,
) -> Result:
    """Put a plan's load on its target from the machines of a cluster; as `run_load`.

    The target is looked at from this machine before, so it has to reach the plan's endpoints, too.
    If cancelled, the workers are killed, and what they counted is lost.

    Args:
        plan: what to do; its `processes` is as many as the fleet has workers.
        fleet: the cluster; where it names endpoints, its machines ask these.
        on_progress: see `run_load`.
        sink: the same.
        stop: the same.
        options: the others of `run_load`; `events` is added to.

    Raises:
        RayError: the cluster cannot be used; see the subclasses.
        ChoiceError: an address means nothing, or a machine has no server.
        LoadTestError: what `run_load` and `run_in_processes` raise.
    """
    events: list[Event] = list(options.pop("events", ()))
    async with open_session(fleet) as ray:
        count = fleet.workers or _default_workers(ray, fleet)
        whole = msgspec.structs.replace(plan, processes=count)

        async def make(
            plan: Plan,
            tally: Tally,
            clock: RunClock,
            *,
            facts: Facts,
            on_progress: Callable[[Progress], None] | None,
            sink: SampleSink | None,
            stop: trio.Event | None,
        ) -> tuple[str, ...]:
            watcher = Watcher(on_progress=on_progress, sink=sink, stop=stop)
            async with _open_links(ray, fleet, plan, facts, sink is not None) as links:
                events.extend(_told(links))
                return await Crew(plan, tally, clock, watcher).run(links)

        return await run_load(
            whole,
            on_progress=on_progress,
            sink=sink,
            stop=stop,
            events=events,
            make=make,
            **options,
        )


def _default_workers(ray: Any, fleet: RayFleet) -> int:
    """One for each machine that has room for one."""
    if fleet.address == LOCAL:
        return LOCAL_WORKERS
    able = [
        node
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0.0) >= fleet.cpus_per_worker
    ]
    return max(1, len(able))


@asynccontextmanager
async def _open_links(
    ray: Any,
    fleet: RayFleet,
    plan: Plan,
    facts: Facts,
    with_samples: bool,  # noqa: FBT001 - called once
) -> AsyncIterator[Sequence[RayLink]]:
    """Workers that were told to begin, for the time of a block."""
    made = ray.remote(RayHand).options(
        num_cpus=fleet.cpus_per_worker,
        max_concurrency=CALLS_MAX,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy="SPREAD",
    )
    links = [RayLink(made.remote()) for _ in range(plan.processes)]
    try:
        for process, link in enumerate(links):
            try:
                machine = await link.machine(ray)
                own = _plan_of(plan, fleet, machine)
                await link.compare_clocks()
                await link.send(Begin(own, process, facts, with_samples=with_samples))
            except LinkLostError as lost:
                raise _unplaced(ray, fleet, process, len(links), lost) from lost
        yield links
    finally:
        for link in links:
            link.kill(ray)


def _unplaced(
    ray: Any, fleet: RayFleet, process: int, count: int, lost: LinkLostError
) -> RayWorkersError:
    free = ray.available_resources().get("CPU", 0.0)
    return RayWorkersError(
        f"process {process + 1} of {count} {lost.why}; the cluster has {free:g} CPUs free, and "
        f"each worker needs {fleet.cpus_per_worker:g}"
    )


def _plan_of(plan: Plan, fleet: RayFleet, machine: Machine) -> bytes:
    """The plan of a worker on a machine, as JSON: with the endpoints that it asks."""
    endpoints = fleet.endpoints_of(machine)
    if endpoints:
        addresses = tuple(map(_address, endpoints))
        target = msgspec.structs.replace(plan.target, endpoints=addresses)
        plan = msgspec.structs.replace(plan, target=target)
    return msgspec.json.encode(plan)


def _address(endpoint: Endpoint) -> str:
    return endpoint if isinstance(endpoint, str) else endpoint.url


def _told(links: Sequence[RayLink]) -> Sequence[Event]:
    """How well the clocks agree, for the result."""
    error_s = max(link.error_ns for link in links) / 1e9
    text = f"{len(links)} workers begin within {error_s:.6f} s of each other, by their clocks"
    return (Event(0.0, "clocks", "", text),)
