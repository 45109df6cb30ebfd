"""Ways to share the same load between endpoints, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from triollama_adapters.loadtest.plan import Plan, Target
from triollama_adapters.loadtest.search.found import PoliciesFound
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["compare_policies", "routings"]


def routings(target: Target) -> dict[str, Target]:
    """The ways of sharing that are built in: `even` and `engine`."""
    raise NotImplementedError


async def compare_policies(
    plan: Plan, ways: Mapping[str, Target], run: Run, *, stop: trio.Event | None = None
) -> PoliciesFound:
    """Run the same schedule once for each way."""
    raise NotImplementedError
