"""Ways to share the same load between endpoints, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import trio
from msgspec.structs import replace

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Plan, Target
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import PoliciesFound
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["compare_policies", "routings"]


def routings(target: Target) -> dict[str, Target]:
    """The ways of sharing that are built in: in turn, and as the engine's pool chooses.

    A proxy in front of the endpoints is one more way: a target with its address.
    """
    return {
        "even": replace(target, routing="even"),
        "engine": replace(target, routing="engine"),
    }


async def compare_policies(
    plan: Plan, ways: Mapping[str, Target], run: Run, *, stop: trio.Event | None = None
) -> PoliciesFound:
    """Run the same schedule once for each way, one after the other.

    Args:
        plan: the load; its target does not count. An open loop or a trace: then all ways get the
            same requests at the same times, whatever they make of them.
        ways: targets by name; those of `routings`, and gateways.
        run: lets a plan happen.
        stop: when it is set, no further run is made.

    Raises:
        PlanError: there is no way.
    """
    if not ways:
        raise PlanError("there is no way of sharing to try", field="ways")
    results: list[Result] = []
    for name, target in ways.items():
        if stop is not None and stop.is_set():
            break
        results.append(replace(await run(replace(plan, target=target)), name=name))
    return PoliciesFound(tuple(ways)[: len(results)], tuple(results))
