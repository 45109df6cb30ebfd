"""The highest rate at which all objectives are met."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.search.found import Capacity, Step
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["SearchRules", "find_capacity"]


@attrs.frozen(kw_only=True)
class SearchRules:
    """How a capacity is searched.

    Attributes:
        start: the first rate.
        least: no rate below this is tried.
        most: no rate above this is tried.
        tolerance: how wide the bracket may be in the end, as a share of its lower end.
        repeats_max: how often an undetermined step is repeated, each time twice as long.
        steps_max: runs in all.
    """

    start: float = 1.0
    least: float = 0.01
    most: float = 10_000.0
    tolerance: float = 0.04
    repeats_max: int = 2
    steps_max: int = 40


async def find_capacity(
    plan: Plan,
    run: Run,
    *,
    rules: SearchRules | None = None,
    on_step: Callable[[Step], None] | None = None,
    stop: trio.Event | None = None,
) -> Capacity:
    """Search the highest rate at which all objectives of a plan are met."""
    raise NotImplementedError
