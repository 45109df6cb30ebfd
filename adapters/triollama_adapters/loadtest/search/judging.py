"""Whether one run met what was asked of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from msgspec.structs import replace

from triollama_adapters.loadtest.measures.shares import wilson
from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.result import Interval, Judged, Met, Result
from triollama_adapters.loadtest.search.evidence import evidence_of, weigh
from triollama_adapters.loadtest.search.saturation import NOISE_TIMES, by_chance, saturation_of
from triollama_adapters.loadtest.units import show_count

__all__ = ["BEHIND_MAX", "ERRORS_MAX", "ERRORS_RULE", "StepVerdict", "judge_step"]

ERRORS_MAX = 0.01
"""Share of the requests that may fail where no objective says so: an objective on TTFT alone would
be met best by a server that refuses nearly everybody."""

ERRORS_RULE = f"errors<={ERRORS_MAX:.0%}"
"""The same, as a user might write it."""

BEHIND_MAX = 0.05
"""Share of the requests that may stay behind in a step where no objective is about latency: more
came than were answered, but so few that it may be chance, or a rate just above the capacity."""

NEAR_TIMES = 2.0
"""A figure is doubted, for the likeness of its requests, within this factor of its limit. Far from
it there is nothing to decide, and steps far below the capacity need not be run again."""


@attrs.frozen
class StepVerdict:
    """What a step showed.

    Attributes:
        met: whether all objectives were.
        is_saturated: whether the queue grew for as long as the load lasted.
        is_valid: whether the load tester kept up.
        why: in words.
    """

    met: Met
    is_saturated: bool
    is_valid: bool
    why: str


def judge_step(result: Result, before: Sequence[Result] = ()) -> StepVerdict:
    """Judge a run: first the load tester, then the queue, then errors, then the objectives.

    Args:
        result: the run.
        before: earlier ones at the same rate, in which the load tester kept up: their requests
            count as well.
    """
    if result.client.validity == "INVALID":
        why = "; ".join(("the load tester was the bottleneck", *result.client.reasons))
        return StepVerdict("undetermined", is_saturated=False, is_valid=False, why=why)
    saturation = saturation_of(result)
    if saturation.is_saturated:
        return StepVerdict("missed", is_saturated=True, is_valid=True, why=saturation.why)
    met, why = _worst(_judged(result, before))
    if result.is_stopped and met == "met":
        met, why = "undetermined", "it was stopped before its end"
    return StepVerdict(met, is_saturated=False, is_valid=True, why=why)


def _judged(result: Result, before: Sequence[Result]) -> list[Judged]:
    """Each objective, and errors if none is about them."""
    objectives = result.plan.objectives
    judged = list(result.attained.judged) if result.attained is not None else []
    judged = [
        _weighed(result, before, objective, each)
        for objective, each in zip(objectives, judged, strict=True)
    ]
    if not any(each.metric == "errors" for each in objectives):
        judged.insert(0, _judge_errors(result))
    if all(each.share is None for each in objectives):
        judged.append(_judge_behind(result))
    return judged


def _weighed(
    result: Result, before: Sequence[Result], objective: Objective, judged: Judged
) -> Judged:
    """The verdict of the run, or near the limit that of all requests, as much as they say."""
    value = objective.limit if judged.value is None else judged.value.value
    is_near = objective.limit / NEAR_TIMES < value < objective.limit * NEAR_TIMES
    if not is_near and judged.met != "undetermined":
        return judged
    found = [evidence_of(each, objective) for each in (result, *before)]
    evidence = [each for each in found if each is not None]
    if not evidence or (judged.met == "undetermined" and len(evidence) == 1):
        return judged
    met, why = weigh(objective, evidence)
    return replace(judged, met=met, why=why)


def _judge_errors(result: Result) -> Judged:
    """Hold the share of errors against `ERRORS_MAX`.

    Missed if the Wilson interval is above it; met if the share itself is not. Else a step without
    any error would need 380 requests to be met.
    """
    total, failed = result.counts.scheduled, sum(result.counts.errors.values())
    if not total:
        return Judged(ERRORS_RULE, None, "undetermined", "there were no requests")
    share = wilson(failed, total)
    assert share.low is not None
    is_above = share.low > ERRORS_MAX
    met: Met = "met" if share.value <= ERRORS_MAX else "missed" if is_above else "undetermined"
    why = f"{failed} of {show_count(total, 'request')} failed"
    return Judged(ERRORS_RULE, share, met, why)


def _judge_behind(result: Result) -> Judged:
    """Hold what stayed behind within the window against `BEHIND_MAX`.

    Missed if it is more than that and more than chance; undetermined if it may be chance.
    """
    counts = result.counts
    over = result.rates.completed * result.window_s + counts.cancelled + sum(counts.errors.values())
    behind = max(0, round(counts.scheduled - over))
    share = behind / max(counts.scheduled, 1)
    least = NOISE_TIMES * by_chance(result.plan, counts.scheduled)
    met: Met = "met" if share <= BEHIND_MAX else "missed" if behind > least else "undetermined"
    why = f"{behind} of {show_count(counts.scheduled, 'request')} stayed behind"
    return Judged(f"behind<={BEHIND_MAX:.0%}", Interval(share), met, why)


def _worst(judged: list[Judged]) -> tuple[Met, str]:
    """The verdict on all of them, with the reasons of those that it hangs on."""
    for met in ("missed", "undetermined"):
        told = [f"{each.objective}: {each.why}" for each in judged if each.met == met]
        if told:
            return met, "; ".join(told)
    return "met", "; ".join(f"{each.objective}: {each.why}" for each in judged)
