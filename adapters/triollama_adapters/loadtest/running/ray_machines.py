"""The load of one run from the machines of a Ray cluster (the extra ``ray``).

Owns the workers, which are Ray actors, and kills them when the run ends, however it ends. All have
one beginning: how far each machine's ``perf_counter_ns`` is from this one's is measured by asking
it for the time, as F. Cristian's algorithm does (Distributed Computing 3, 1989), so that no wall
clock has to be right. The quickest of `ROUNDS` answers bounds the error by half of what it took.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
import trio

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Event, Result
from triollama_adapters.loadtest.running.crew import Crew
from triollama_adapters.loadtest.running.frames import (
    Begin,
    FrameError,
    News,
    Order,
    frame,
    read_news,
)
from triollama_adapters.loadtest.running.links import LinkLostError, Watcher
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.running.ray_hand import CALLS_MAX, TAKE_S, RayHand
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.ray.calls import result_of
from triollama_adapters.ray.errors import RayError, RayWorkersError, WorkerLostError
from triollama_adapters.ray.fleet import LOCAL, Endpoint, Machine, RayFleet, machine_of
from triollama_adapters.ray.session import LOCAL_WORKERS, open_session

__all__ = ["RayLink", "run_load_on_ray"]

ANSWER_S: Final = 30.0
"""How long a worker may take for a call, beyond what it waits by itself."""

PLACE_S: Final = 60.0
"""How long the cluster may take to place the workers; a new process needs a few seconds."""

ROUNDS: Final = 20
"""Questions for the time: each takes about a millisecond, and the first ones more."""


class RayLink:
    """A worker on a machine of the cluster; see `links.Link`.

    Args:
        actor: Ray's handle of a `RayHand`.

    Attributes:
        offset_ns: how far its clock is ahead of this process's.
        error_ns: how wrong that may be.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._frames = read_news()
        self._news: deque[News] = deque()
        self.offset_ns = 0
        self.error_ns = 0

    async def send(self, order: Order) -> None:
        """Tell it something; see `links.Link`."""
        await self._call(self._actor.order.remote(frame(order)), ANSWER_S)

    async def receive(self) -> News:
        """What it tells next; see `links.Link`."""
        while not self._news:
            data = await self._call(self._actor.take.remote(), TAKE_S + ANSWER_S)
            try:
                self._news.extend(self._frames.feed(data))
            except FrameError as error:
                raise LinkLostError(f"said what no worker says: {error}") from error
        return self._news.popleft()

    def on_its_clock(self, at_ns: int) -> int:
        """A moment of this process's clock on the machine's; see `links.Link`."""
        return at_ns + self.offset_ns

    async def compare_clocks(self) -> None:
        """Learn `offset_ns`.

        Raises:
            LinkLostError: it is not there any more.
        """
        self.error_ns = 1 << 62
        for _ in range(ROUNDS):
            asked_ns = time.perf_counter_ns()
            its_ns = await self._call(self._actor.clock_ns.remote(), ANSWER_S)
            answered_ns = time.perf_counter_ns()
            if (error_ns := (answered_ns - asked_ns) // 2) < self.error_ns:
                self.error_ns = error_ns
                self.offset_ns = its_ns - (asked_ns + answered_ns) // 2

    async def machine(self, ray: Any) -> Machine:
        """Where it runs.

        Raises:
            LinkLostError: it is not there any more, or was never placed.
        """
        hello = await self._call(self._actor.hello.remote(), PLACE_S)
        for node in ray.nodes():
            if node["NodeID"] == hello.machine:
                return machine_of(node)
        return Machine(hello.machine, ())

    def kill(self, ray: Any) -> None:
        """End it at once. Never waits."""
        with suppress(ray.exceptions.RayError, ValueError):  # it may be gone
            ray.kill(self._actor)

    async def _call(self, reference: Any, within_s: float) -> Any:
        try:
            return await result_of(reference, within_s=within_s)
        except WorkerLostError as lost:
            raise LinkLostError(f"is lost: {lost.why}") from lost
        except RayError as error:
            raise LinkLostError(f"failed: {error}") from error


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
