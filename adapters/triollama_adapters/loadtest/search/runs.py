"""How a search lets a run happen: a function that is given to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import trio
from msgspec.structs import replace

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Event, Result
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.search.saturation import (
    SATURATED,
    Look,
    Saturation,
    Watch,
)

__all__ = ["Run", "RunLoad", "watched"]

Run: TypeAlias = Callable[[Plan], Awaitable[Result]]
"""Runs a plan and gives its result; see `running.run.run_load`."""


class RunLoad(Protocol):
    """`running.run.run_load`, or what does the same with fewer arguments."""

    async def __call__(
        self,
        plan: Plan,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: trio.Event | None = None,
    ) -> Result:
        """Run a plan; it ends early when `stop` is set."""


def watched(
    run_load: RunLoad,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    stop: trio.Event | None = None,
) -> Run:
    """A run that ends early once it is over-saturated, which is then among its events.

    Args:
        run_load: how a plan is run.
        on_progress: told of each run's progress.
        stop: when it is set, the run under way ends at its next progress. The search that made it
            has to be given the same, so that it makes no other.
    """

    async def run(plan: Plan) -> Result:
        watch, ends, found = Watch(plan), trio.Event(), Saturation(is_saturated=False)
        at_s = 0.0

        def see(progress: Progress) -> None:
            nonlocal found, at_s
            if on_progress is not None:
                on_progress(progress)
            if not found.is_saturated and progress.stage == "measuring":
                found, at_s = watch.see(look_at(progress)), progress.at_s
            if found.is_saturated or (stop is not None and stop.is_set()):
                ends.set()

        result = await run_load(plan, on_progress=see, stop=ends)
        if not found.is_saturated:
            return result
        event = Event(at_s, SATURATED, "", found.why)
        return replace(result, events=(*result.events, event))

    return run


def look_at(progress: Progress) -> Look:
    """What a `Watch` wants to see of a run under way."""
    over = progress.ok + progress.failed + progress.others
    queue = max(progress.scheduled - over, 0)
    return Look(progress.at_s, progress.scheduled, queue, progress.ttft_p50_s)
