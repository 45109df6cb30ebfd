"""Whether requests come faster than a server will ever answer them. Pure.

In a stable queue the number of requests in it varies around a mean; in an over-saturated one it
grows for as long as the load lasts, and each percentile says only how long that was. Such a run has
no steady state, so its latencies are no figures of the server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, pvariance

import attrs

from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Plan, Replay
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.trend import BLOCKS, Z_RISING, blocks, mann_kendall, slope
from triollama_adapters.loadtest.units import show_count

__all__ = [
    "GROWTH_MIN",
    "NOISE_TIMES",
    "SATURATED",
    "Look",
    "Saturation",
    "Watch",
    "by_chance",
    "judge",
    "saturation_of",
]

SATURATED = "over-saturated"
"""Kind of the event of a run that was stopped for it."""

GROWTH_MIN = 0.02
"""This share of the requests that come stay behind."""

NOISE_TIMES = 2.0
"""And it is so many times what may stay behind by chance: of n arrivals that are random, a server
that is just busy enough has about the square root of n in line at the end, times the coefficient of
variation of the times between them (Kingman, The heavy traffic approximation in the theory of
queues, 1965)."""

WATCH_TIMES = 3.0
"""The same for a run under way: it is looked at many times, and each is a chance to be wrong."""

TTFT_RISE_MIN = 1.5
"""From the first third of the window to the last one TTFT rises at least so many times. A server
that merely fills up, because the warm-up was short, does not let it rise so far."""

UNANSWERED_MAX = 0.05
"""If more than this share had no answer when the drain ended, the queue was not even emptied by a
time without any load."""

LOOKS_MIN = 10
"""Looks at a run before it is stopped for it."""

ELAPSED_MIN = 0.25
"""Nor is a run stopped before this share of its window is over."""

ELAPSED_S_MIN = 3.0
"""Nor before this time within its window, in seconds."""


@attrs.frozen
class Look:
    """A run at one moment.

    Attributes:
        at_s: since the run began.
        due: requests that were due by then, or within the moment before; see the user.
        in_flight: requests that were due and not over.
        ttft_s: median TTFT of those that were due lately; None if none had a first token.
    """

    at_s: float
    due: int
    in_flight: int
    ttft_s: float | None


@attrs.frozen
class Saturation:
    """The verdict on one run.

    Attributes:
        is_saturated: whether its queue grew for as long as the load lasted.
        growth: share of the requests due that stayed behind, by the line through their number.
        why: in words; empty if it is not.
    """

    is_saturated: bool
    growth: float = 0.0
    why: str = ""


def saturation_of(result: Result) -> Saturation:
    """Judge a run that is over; a closed loop is never over-saturated, as it waits for answers."""
    plan, counts = result.plan, result.counts
    if isinstance(plan.shape, ClosedLoop) or not counts.scheduled:
        return Saturation(is_saturated=False)
    seen = next((event for event in result.events if event.kind == SATURATED), None)
    if seen is not None:
        return Saturation(is_saturated=True, why=seen.text)
    end_s = plan.warm_up_s + result.window_s
    looks = [
        Look(each.at_s, each.offered, each.in_flight, each.ttft_p50_s)
        for each in result.moments
        if each.at_s >= plan.warm_up_s and each.at_s + result.moment_s <= end_s + 1e-9
    ]
    offered = [look.due for look in looks]
    due = sum(offered)
    found = judge(looks, due=due, least=NOISE_TIMES * by_chance(plan, due, offered))
    left = counts.censored + counts.errors.get("unsent", 0)
    if found.is_saturated or result.is_stopped or left <= UNANSWERED_MAX * counts.scheduled:
        return found
    why = f"{left} of {show_count(counts.scheduled, 'request')} had no answer when the drain ended"
    return Saturation(is_saturated=True, growth=found.growth, why=why)


def by_chance(plan: Plan, due: int, seen: Sequence[int] = ()) -> float:
    """How many of so many random arrivals may be in line at the end: one standard deviation.

    Args:
        plan: tells how random they are, but for a trace.
        due: requests that came.
        seen: how many came in each of some moments of equal length, for a trace; without them it
            is taken to be Poisson's.
    """
    shape = plan.shape
    dispersion = 1.0
    if isinstance(shape, OpenLoop) and shape.arrivals == "constant":
        dispersion = 0.0
    elif isinstance(shape, OpenLoop) and shape.arrivals == "gamma":
        dispersion = 1 / shape.burstiness
    elif isinstance(shape, Replay) and len(seen) > BLOCKS:
        means = blocks(seen)
        dispersion = pvariance(means) * (len(seen) / len(means)) / max(fmean(means), 1e-9)
    return math.sqrt(due * dispersion)


def judge(looks: Sequence[Look], *, due: int, least: float = 0.0) -> Saturation:
    """Judge by the queue and by TTFT, over looks at equal distances in which the load was steady.

    Args:
        looks: in order; at least 5, or nothing can be said.
        due: requests that came meanwhile.
        least: the queue has grown by more than that.
    """
    if len(looks) < 2 or not due:
        return Saturation(is_saturated=False)
    at, queue = [each.at_s for each in looks], [float(each.in_flight) for each in looks]
    length_s = (at[-1] - at[0]) * len(looks) / (len(looks) - 1)
    growth = slope(at, queue) * length_s / due
    if growth < GROWTH_MIN or growth * due < least or mann_kendall(blocks(queue)) < Z_RISING:
        return Saturation(is_saturated=False, growth=growth)
    rise = _ttft_rise([each.ttft_s for each in looks])
    if not rise:
        return Saturation(is_saturated=False, growth=growth)
    why = (
        f"the queue grew all the time, from {looks[0].in_flight} to {looks[-1].in_flight} requests "
        f"({growth:.0%} of those that came stayed behind), and {rise}"
    )
    return Saturation(is_saturated=True, growth=growth, why=why)


def _ttft_rise(ttft_s: Sequence[float | None]) -> str:
    """How TTFT rose, in words; empty if it did not.

    What comes late in a long queue has no first token by the end of the run: that is a rise, too.
    """
    third = max(len(ttft_s) // 3, 1)
    first = [value for value in ttft_s[:third] if value is not None]
    last = [value for value in ttft_s[-third:] if value is not None]
    if not last:
        return "those that came last had no first token by the end"
    if not first:
        return ""  # the beginning was the worst of it
    before_s, after_s = sum(first) / len(first), sum(last) / len(last)
    if after_s < TTFT_RISE_MIN * before_s:
        return ""
    known = [value for value in ttft_s if value is not None]
    if mann_kendall(blocks(known)) < Z_RISING:
        return ""
    return f"TTFT rose from {before_s:.3g} s to {after_s:.3g} s"


class Watch:
    """Recognises over-saturation while a run goes on, so that it can be stopped.

    Args:
        plan: of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._begin_s = plan.warm_up_s
        self._end_s = plan.warm_up_s + plan.duration_s
        self._is_open = not isinstance(plan.shape, ClosedLoop)
        self._looks: list[Look] = []

    def see(self, look: Look) -> Saturation:
        """Take a look, with all that were due since the run began, and judge what is known so far.

        Never over-saturated before `LOOKS_MIN` looks, `ELAPSED_MIN` and `ELAPSED_S_MIN` of the
        window, nor after its end.
        """
        if not self._is_open or not self._begin_s <= look.at_s <= self._end_s:
            return Saturation(is_saturated=False)
        self._looks.append(look)
        elapsed_s = look.at_s - self._begin_s
        enough_s = max(ELAPSED_MIN * (self._end_s - self._begin_s), ELAPSED_S_MIN)
        if len(self._looks) < LOOKS_MIN or elapsed_s < enough_s:
            return Saturation(is_saturated=False)
        due = look.due - self._looks[0].due
        return judge(self._looks, due=due, least=WATCH_TIMES * by_chance(self._plan, due))
