"""`run_load`: a plan becomes a result."""

from __future__ import annotations

from collections.abc import Callable

import trio

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.progress import Progress, SampleSink

__all__ = ["run_load"]


async def run_load(
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    sink: SampleSink | None = None,
    stop: trio.Event | None = None,
) -> Result:
    """Put a plan's load on its target, and say what was found.

    Args:
        plan: what to do.
        on_progress: told about twice a second how far it is; must not wait.
        sink: given every sample as it ends.
        stop: when it is set, the load ends at once and the result tells what there was so far.

    Raises:
        PlanError: the plan cannot be carried out on this machine (too few file descriptors).
        TargetError: an endpoint does not answer, does not have the model, or dies in the warm-up.
    """
    raise NotImplementedError
