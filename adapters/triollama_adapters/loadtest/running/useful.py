"""How many processes a plan's load needs. Pure but for a look at a trace.

What a request and a chunk cost this client was measured at 100 to 300 requests/s and at 100 to 300
streams on one core of the machine of ``docs/benchmarks.md``. A process that needs about half of the
share at which a run is DEGRADED has room for bursts, and for machines that are half as fast.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from typing import Final

from triollama_adapters.loadtest.arrivals import times
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Plan, Replay
from triollama_adapters.loadtest.workload.scenario import Scenario

__all__ = ["PROCESSES_MAX", "check_processes", "useful_processes"]

PROCESSES_MAX: Final = 64
"""More are of no use on any machine that this was written for."""

REQUEST_S: Final = 0.6e-3
"""CPU seconds of a request, beside its chunks."""

CHUNK_S: Final = 20e-6
"""CPU seconds of a chunk."""

SHARE_MAX: Final = 0.25
"""Of a core that a process may use: at 0.45 a run is DEGRADED, see ``metrics.md``."""

TOKENS_USUAL: Final = 250
"""Of an answer that the model ends by itself."""

TOKENS_PER_S_USUAL: Final = 60.0
"""Of one stream, where only its server knows."""


def check_processes(count: int) -> int:
    """A number of processes that a user gave.

    Raises:
        PlanError: it is not from 1 to `PROCESSES_MAX`.
    """
    if not 1 <= count <= PROCESSES_MAX:
        raise PlanError(f"there are 1 to {PROCESSES_MAX} processes, not {count}", field="processes")
    return count


def useful_processes(plan: Plan, *, cores: int | None = None) -> int:
    """How many processes ``auto`` is: no more than the load needs, and one core is left free.

    Args:
        plan: its `processes` is not looked at.
        cores: of this machine that may be used; None looks.

    Raises:
        TraceError: the trace to be replayed cannot be read.
    """
    free = max(1, (_own_cores() if cores is None else cores) - 1)
    if free == 1:
        return 1
    needed = math.ceil(_cores_needed(plan) / SHARE_MAX)
    if isinstance(plan.shape, ClosedLoop):
        needed = min(needed, plan.shape.concurrency)
    return max(1, min(free, needed, PROCESSES_MAX))


def _own_cores() -> int:
    """Cores that this process may use, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cores_needed(plan: Plan) -> float:
    """CPU seconds per second, at the busiest."""
    tokens = _mean(plan, _answer_tokens)
    cost_s = REQUEST_S + tokens * CHUNK_S
    if isinstance(plan.shape, ClosedLoop):
        return plan.shape.concurrency * cost_s * TOKENS_PER_S_USUAL / max(tokens, 1.0)
    return (
        _sessions_per_s(plan.shape, plan.seed)
        * _mean(plan, lambda each: float(each.turns))
        * cost_s
    )


def _sessions_per_s(shape: OpenLoop | Replay, seed: int) -> float:
    """The highest rate of an open loop; of a trace, the busiest second."""
    if isinstance(shape, OpenLoop):
        return max((max(each.from_per_s, each.to_per_s) for each in shape.phases), default=0.0)
    seconds = Counter(at_ns // 1_000_000_000 for at_ns in times(shape, seed))
    return float(max(seconds.values(), default=0))


def _answer_tokens(scenario: Scenario) -> float:
    return float(scenario.answers.tokens or TOKENS_USUAL)


def _mean(plan: Plan, figure: Callable[[Scenario], float]) -> float:
    """Over the scenarios, by weight."""
    scenarios = plan.workload.scenarios
    weight = sum(each.weight for each in scenarios)
    return sum(each.weight * figure(each) for each in scenarios) / weight if weight else 0.0
