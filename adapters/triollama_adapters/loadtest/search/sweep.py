"""The curve of latency over throughput: the same load at rising concurrencies or rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.search.found import Sweep, SweepKind
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["sweep"]


async def sweep(
    plan: Plan,
    kind: SweepKind,
    values: Sequence[float],
    run: Run,
    *,
    stops_when_saturated: bool = True,
    on_point: Callable[[Sweep], None] | None = None,
    stop: trio.Event | None = None,
) -> Sweep:
    """Run a plan at each concurrency or rate, in ascending order."""
    raise NotImplementedError
