"""Where load tests run: servers, a stop by Ctrl-C, and a picture of each run."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import attrs
import trio
from msgspec.structs import replace

from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._load_client import SELF, Client
from triollama_adapters.cli._load_ready import Ready, get_ready
from triollama_adapters.cli._load_repeat import command_line
from triollama_adapters.cli._load_servers import open_servers
from triollama_adapters.cli._load_watch import open_sight
from triollama_adapters.loadtest.plan import ClosedLoop, Plan
from triollama_adapters.loadtest.report.words import describe, describe_load
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.running.ray_machines import run_load_on_ray
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.search.runs import Run, watched
from triollama_adapters.simulator import SimulatorProcess

__all__ = ["Bench", "at_bench"]

STOP_S: Final = 15.0
"""How long a run that was stopped may take to its result; then it is cancelled."""

T = TypeVar("T")


@attrs.define
class Bench:
    """What a command has while its servers are there.

    Attributes:
        plan: with these servers.
        processes: those that are simulated.
        stop: set when the user wants no more; what runs ends soon and tells what there is.
        client: who makes the load.
        ready: what was found out before.
        sink: given every sample; None keeps none.
        runs: how many were begun.
    """

    plan: Plan
    processes: tuple[SimulatorProcess, ...]
    stop: trio.Event
    client: Client
    ready: Ready
    sink: SampleSink | None = None
    runs: int = 0

    async def run(
        self,
        plan: Plan,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: trio.Event | None = None,
        sink: SampleSink | None = None,
        prefix: str = "",
    ) -> Result:
        """One run, shown while it lasts.

        Args:
            plan: of the run.
            on_progress: told how far it is, too.
            stop: ends this run; None: the user's.
            sink: given every sample; None: the bench's.
            prefix: before its title.

        Raises:
            LoadTestError: see `run_load`.
        """
        self.runs += 1
        plan = replace(plan, processes=_processes(plan, self.client))
        with open_sight(plan, sys.stderr, prefix=prefix) as sight:

            def show(progress: Progress) -> None:
                sight.show(progress)
                if on_progress is not None:
                    on_progress(progress)

            return await self._runner()(
                plan,
                on_progress=show,
                sink=self.sink if sink is None else sink,
                stop=self.stop if stop is None else stop,
                facts=self.ready.facts,
                floor=self.ready.floor_per_s,
                command=command_line(),
            )

    def _runner(self) -> Callable[..., Awaitable[Result]]:
        """Who runs a plan: this machine, or a cluster."""
        fleet = self.client.fleet()
        return run_load if fleet is None else partial(run_load_on_ray, fleet=fleet)

    def look(self, title: str) -> Run:
        """A run that is none of a search's steps."""

        async def run(plan: Plan) -> Result:
            result = await self.run(plan, prefix=f"{title}: ")
            self.runs -= 1
            return result

        return run

    def step(self) -> Run:
        """One run of a search, which makes many and ends those that are over-saturated."""
        return watched(self._numbered, stop=self.stop)

    def whole(self) -> Run:
        """One run of several, each of which goes on to its end."""
        return self._numbered

    async def _numbered(
        self,
        plan: Plan,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: trio.Event | None = None,
    ) -> Result:
        """One run of several, and what it found in a line."""
        prefix = f"run {self.runs + 1}: "
        result = await self.run(plan, on_progress=on_progress, stop=stop, prefix=prefix)
        self.tell(f"{prefix}{describe_load(plan)}: {describe(result)}")
        return result

    def tell(self, line: str) -> None:
        """Say how a search goes on."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


async def at_bench(
    plan: Plan,
    simulate: int,
    work: Callable[[Bench], Awaitable[T]],
    *,
    client: Client = SELF,
    sink: SampleSink | None = None,
) -> tuple[T | None, bool]:
    """Do something with the servers of a plan; Ctrl-C has it end soon, a second one at once.

    Args:
        plan: as `make_plan` gave it.
        simulate: how many servers to start; 0 takes those of the plan.
        work: what to do.
        client: who makes the load.
        sink: see `Bench`.

    Returns:
        What the work gave, None if it was stopped before; and whether it was stopped.

    Raises:
        LoadTestError: see `run_load`; in a group.
        CliError: see `open_servers`; in a group.
    """
    found: list[T] = []
    benches: list[Bench] = []
    stop = trio.Event()

    async def inner() -> None:
        async with open_servers(plan, simulate, sys.stderr) as servers:
            ready = await get_ready(servers.plan, sys.stderr)
            bench = Bench(servers.plan, servers.processes, stop, client, ready, sink)
            benches.append(bench)
            found.append(await work(bench))

    def stop_soon() -> float:
        stop.set()
        if not any(each.runs for each in benches):
            return 0.0
        sys.stderr.write("stopping: the figures so far follow; Ctrl-C again stops at once\n")
        return STOP_S

    is_stopped = await run_until_stopped(inner, stop_soon)
    return (found[0] if found else None), is_stopped


def _processes(plan: Plan, client: Client) -> int:
    """For one run of several: each process has one user of a closed loop at least."""
    count = client.count(plan)
    return min(count, plan.shape.concurrency) if isinstance(plan.shape, ClosedLoop) else count
