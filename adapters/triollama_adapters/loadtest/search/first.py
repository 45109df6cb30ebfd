"""Where a search for the capacity begins: near the answer, instead of at the bottom.

`USERS` at a time keep any server busy, and what they get is the most that it can do, whatever their
latencies. Half of that is a rate that most servers keep up with, and one doubling from the end.
"""

from __future__ import annotations

from msgspec.structs import replace

from triollama_adapters.loadtest.plan import ClosedLoop, Plan
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["first_rate"]

USERS = 64
"""More than the slots of one server; several servers and large ones only make the guess smaller."""

LOOK_S = 10.0
WARM_UP_S = 2.0

SHARE = 0.5
"""Of what so many users get."""


async def first_rate(plan: Plan, run: Run, *, least: float, most: float, default: float) -> float:
    """A rate to begin with, in sessions per second.

    Args:
        plan: the load whose capacity is searched.
        run: lets a plan happen; it is asked once, for some 12 s.
        least: the lowest rate that is tried.
        most: the highest.
        default: the answer if nothing was answered within that time.
    """
    look = replace(
        plan,
        shape=ClosedLoop(USERS),
        warm_up_s=min(plan.warm_up_s, WARM_UP_S),
        duration_s=LOOK_S,
        drain_s=0.0,
        objectives=(),
        processes=min(plan.processes, USERS),
        keep_samples=False,
    )
    result = await run(look)
    rate = SHARE * result.rates.completed / _turns(plan)
    return min(max(float(f"{rate:.2g}"), least), most) if rate > 0 else default


def _turns(plan: Plan) -> float:
    """Requests of a session, in the mean."""
    scenarios = plan.workload.scenarios
    weights = sum(each.weight for each in scenarios)
    return sum(each.weight * each.turns for each in scenarios) / weights
