"""The same load, more or less of it: the plan of one step of a search. Pure."""

from __future__ import annotations

import math

from msgspec.structs import replace

from triollama_adapters.histogram import needed_for
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Replay
from triollama_adapters.loadtest.search.found import Unit

__all__ = [
    "LONGER_MAX",
    "REQUESTS_MIN",
    "at_concurrency",
    "at_rate",
    "step_duration_s",
    "unit_of",
]

REQUESTS_MIN = 50
"""A step has at least so many requests, if it may take that long: a share of them that is off by a
tenth is seen then."""

DECISIVE = 1.3
"""So many times as many requests as a percentile's interval needs to have an upper end at all: with
just enough of them that end is the slowest request."""

LONGER_MAX = 10.0
"""A step at a low rate may last so many times as long as was asked for, to have its requests."""


def at_rate(plan: Plan, rate: float, *, duration_s: float, seed: int) -> Plan:
    """The same load at another rate.

    Args:
        plan: whose arrivals stay as they are; those of a closed loop become Poisson.
        rate: sessions per second; for a replayed trace its speed. More than 0.
        duration_s: of the measured window; the rate is the same from the warm-up on.
        seed: of the schedule.
    """
    shape = plan.shape
    if isinstance(shape, Replay):
        return replace(plan, shape=replace(shape, speed=rate), duration_s=duration_s, seed=seed)
    phases = (Phase(plan.warm_up_s + duration_s, rate, rate),)
    shape = replace(shape, phases=phases) if isinstance(shape, OpenLoop) else OpenLoop(phases)
    return replace(plan, shape=shape, duration_s=duration_s, seed=seed)


def at_concurrency(plan: Plan, users: int) -> Plan:
    """The same load with so many users at a time, who begin the next session after the last.

    They begin within the warm-up, as they did, or all at once.
    """
    shape = plan.shape
    loop = shape if isinstance(shape, ClosedLoop) else ClosedLoop(users)
    return replace(plan, shape=replace(loop, concurrency=users))


def unit_of(plan: Plan) -> Unit:
    """What a rate of this plan is."""
    return "times the recorded speed" if isinstance(plan.shape, Replay) else "sessions/s"


def step_duration_s(plan: Plan, rate: float) -> float:
    """How long a step at a rate has to be, so that each objective can be judged.

    That is `DECISIVE` times the requests that the interval of its percentile needs, but at most
    `LONGER_MAX` times `Plan.duration_s`, and never less than that. A trace is as long as it is.
    """
    if isinstance(plan.shape, Replay):
        return plan.duration_s
    shares = [each.share for each in plan.objectives if each.share is not None]
    tails = [max(share, 1 - share) for share in shares if 0 < share < 1]
    requests = max([REQUESTS_MIN, *(DECISIVE * needed_for(tail) for tail in tails)])
    wanted_s = float(math.ceil(requests / rate))
    return min(max(wanted_s, plan.duration_s), LONGER_MAX * plan.duration_s)
