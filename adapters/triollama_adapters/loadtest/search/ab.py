"""Two targets compared in one run, in short windows that alternate."""

from __future__ import annotations

from collections.abc import Callable

import trio

from triollama_adapters.loadtest.plan import Plan, Target
from triollama_adapters.loadtest.search.found import AbFound, Pair
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["interleave"]


async def interleave(
    plan: Plan,
    a: Target,
    b: Target,
    run: Run,
    *,
    pairs: int = 10,
    names: tuple[str, str] = ("A", "B"),
    on_pair: Callable[[Pair], None] | None = None,
    stop: trio.Event | None = None,
) -> AbFound:
    """Give two targets the same load in turn; a window is as long as `Plan.duration_s`."""
    raise NotImplementedError
