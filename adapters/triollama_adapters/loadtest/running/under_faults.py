"""A run in which faults are caused, and what its readers saw of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import trio

from triollama_adapters.batch.block import open_background
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Event, Result
from triollama_adapters.loadtest.running.causing import cause
from triollama_adapters.loadtest.running.faults import Fault, Striker, resolve
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.running.readers import FaultSeen, Readers, told
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.sample import Sample

__all__ = ["Run", "run_under_faults"]


class Run(Protocol):
    """What `run_load` is."""

    async def __call__(
        self,
        plan: Plan,
        *,
        on_progress: Callable[[Progress], None] | None,
        sink: SampleSink | None,
        stop: trio.Event | None,
    ) -> Result:
        """See `run_load`."""


async def run_under_faults(
    plan: Plan,
    faults: Sequence[Fault],
    striker: Striker,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
    run: Run = run_load,
) -> tuple[Result, tuple[FaultSeen, ...]]:
    """Put a plan's load on its target, and faults on its endpoints meanwhile.

    The run's time is taken from its progress, so a fault comes within a few milliseconds of its
    moment, and none in the half second before the first progress.

    Args:
        plan: what to do.
        faults: what is to happen; see `parse_fault`.
        striker: does it; it must stay open until this is over.
        on_progress: see `run_load`.
        sink: the same.
        stop: the same.
        run: does the run itself.

    Returns:
        The result, with an event for each thing that was done and one for what its readers saw; and
        what they saw, in the order of the faults.

    Raises:
        PlanError: a fault is for no endpoint of the plan, or for a moment after its end; or what
            `run_load` raises.
        TargetError: see `run_load`.
    """
    resolved = resolve(faults, plan.target.endpoints)
    _check_moments(plan, resolved)
    events: list[Event] = []
    anchor = _Anchor(on_progress)
    readers = Readers(resolved)
    async with open_background() as nursery:

        async def strike() -> None:
            await anchor.is_set.wait()
            await cause(resolved, striker, now_s=anchor.now_s, note=events.append)

        nursery.start_soon(strike)
        result = await run(plan, on_progress=anchor.take, sink=_Both(readers, sink), stop=stop)
    seen = readers.conclude(result.moments)
    whole = [*result.events, *events, *(_after(told(each), each, events) for each in seen)]
    whole.sort(key=lambda event: event.at_s)
    return msgspec.structs.replace(result, events=tuple(whole)), seen


def _after(event: Event, seen: FaultSeen, done: Sequence[Event]) -> Event:
    """What readers saw of a fault, as of when it was really caused: so it is told after that."""
    fault = seen.fault
    same = (
        each.at_s for each in done if (each.kind, each.endpoint) == (fault.kind, fault.endpoint)
    )
    at_s = min((at_s for at_s in same if at_s >= fault.at_s), default=fault.at_s)
    return msgspec.structs.replace(event, at_s=at_s)


def _check_moments(plan: Plan, faults: Sequence[Fault]) -> None:
    end_s = plan.warm_up_s + plan.duration_s
    for fault in faults:
        if fault.at_s >= end_s:
            raise PlanError(
                f"the fault {fault.text!r} is for a moment after the load, which ends at "
                f"{end_s:g} s, the warm-up included"
            )


class _Anchor:
    """Learns from its progress when a run began."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress
        self._began = 0.0
        self.is_set = trio.Event()

    def take(self, progress: Progress) -> None:
        if not self.is_set.is_set():
            self._began = trio.current_time() - progress.at_s
            self.is_set.set()
        if self._on_progress is not None:
            self._on_progress(progress)

    def now_s(self) -> float:
        return trio.current_time() - self._began


class _Both:
    """A `SampleSink` that is two."""

    def __init__(self, readers: Readers, sink: SampleSink | None) -> None:
        self._readers = readers
        self._sink = sink

    def add(self, sample: Sample) -> None:
        self._readers.add(sample)
        if self._sink is not None:
            self._sink.add(sample)
