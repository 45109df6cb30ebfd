"""Plans for tests of what is asked."""

from __future__ import annotations

from typing import Any

from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Shape, Target
from triollama_adapters.loadtest.workload.scenario import Prompts, Scenario, Workload

__all__ = ["SMALL", "make_plan", "open_loop"]

SMALL = Prompts(tokens=20)


def make_plan(
    *scenarios: Scenario, shape: Shape | None = None, target: Target | None = None, **more: Any
) -> Plan:
    """A plan of a minute, of one user who asks synthetic prompts, unless something else is said."""
    given: dict[str, Any] = {"duration_s": 60.0, **more}
    return Plan(
        target=target or Target(("http://here:11434",)),
        workload=Workload(scenarios or (Scenario("ask", "m", prompts=SMALL),)),
        shape=shape or ClosedLoop(1),
        **given,
    )


def open_loop(rate_per_s: float, length_s: float = 60.0) -> OpenLoop:
    """Constant arrivals at this rate."""
    return OpenLoop((Phase(length_s, rate_per_s, rate_per_s),), arrivals="constant")
