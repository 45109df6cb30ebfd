"""The highest rate at which all objectives are met.

The decisions are `decide`'s and the verdicts `judging`'s; this lets the runs happen, one after the
other, with seeds of their own, so that a rate is not judged twice by the same draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from msgspec.structs import replace

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.search.decide import SearchRules, Tried, Try, Verdict, decide
from triollama_adapters.loadtest.search.found import Capacity, Step
from triollama_adapters.loadtest.search.judging import BEHIND_MAX, ERRORS_RULE, judge_step
from triollama_adapters.loadtest.search.runs import Run
from triollama_adapters.loadtest.search.saturation import GROWTH_MIN
from triollama_adapters.loadtest.search.steps import at_rate, step_duration_s, unit_of

__all__ = ["SearchRules", "find_capacity", "rule_in_words"]


async def find_capacity(
    plan: Plan,
    run: Run,
    *,
    rules: SearchRules | None = None,
    on_step: Callable[[Step], None] | None = None,
    stop: trio.Event | None = None,
) -> Capacity:
    """Search the highest rate at which all objectives of a plan are met.

    Without any, that is the highest rate at which the queue does not grow and hardly a request
    fails. What `run` raises, and a cancellation, goes on to the caller; the steps so far are known
    to `on_step` only.

    Args:
        plan: the load; its rates and its duration are those of the shortest step's.
        run: lets a plan happen; `runs.watched` makes one that ends over-saturated steps early.
        rules: how to search.
        on_step: told of each step when it is over.
        stop: when it is set, no further step is made, and the answer is what is known by then.
    """
    rules = SearchRules() if rules is None else rules
    steps: list[Step] = []
    while True:
        tried = [Tried(each.rate, each.met, each.is_saturated, each.is_valid) for each in steps]
        decision = decide(rules, tried, is_stopped=stop is not None and stop.is_set())
        if isinstance(decision, Verdict):
            return _conclude(plan, rules, steps, decision)
        step = await _make(plan, run, decision, steps)
        steps.append(step)
        if on_step is not None:
            on_step(step)


def rule_in_words(plan: Plan, rules: SearchRules) -> str:
    """How steps are judged and chosen, for a reader of the report."""
    named = ", ".join(_objectives(plan))
    return (
        f"The rate is doubled from {rules.start:g} until a step misses an objective; then the "
        f"bracket is halved until its ends are within {rules.tolerance:.0%}; both are run again. "
        f"A step is met if the 95 % intervals of all its figures are within {named}; missed if one "
        "is beyond its limit, or if the queue grows for as long as the load lasts (by more "
        f"than {GROWTH_MIN:.0%} of the requests, and than chance, while TTFT rises); else "
        f"undetermined, and run again, twice as long, up to {rules.repeats_max} times; all runs of "
        "a rate count together, by as many requests as they hold that do not wait together. "
        "A step in which the load tester was the bottleneck tells nothing."
    )


async def _make(plan: Plan, run: Run, decision: Try, steps: Sequence[Step]) -> Step:
    """Make one step and judge it, with the requests of the steps before it at the same rate."""
    rate = decision.rate
    duration_s = step_duration_s(plan, rate) * decision.times
    result = await run(at_rate(plan, rate, duration_s=duration_s, seed=plan.seed + len(steps)))
    result = replace(result, name=f"{rate:g} {unit_of(plan)}")
    before = [each.result for each in steps if each.rate == rate and each.is_valid]
    verdict = judge_step(result, before)
    return Step(
        rate=rate,
        duration_s=duration_s,
        met=verdict.met,
        is_saturated=verdict.is_saturated,
        is_valid=verdict.is_valid,
        why=verdict.why,
        result=result,
    )


def _conclude(plan: Plan, rules: SearchRules, steps: list[Step], verdict: Verdict) -> Capacity:
    return Capacity(
        state=verdict.state,
        rate=verdict.low,
        low=verdict.low,
        high=verdict.high,
        unit=unit_of(plan),
        tolerance=rules.tolerance,
        objectives=_objectives(plan),
        rule=rule_in_words(plan, rules),
        why=verdict.why,
        steps=tuple(steps),
    )


def _objectives(plan: Plan) -> tuple[str, ...]:
    """The user's, and those that are added where they have none on errors, or on latency."""
    named = tuple(each.text for each in plan.objectives)
    has_errors = any(each.metric == "errors" for each in plan.objectives)
    has_latency = any(each.share is not None for each in plan.objectives)
    named = named if has_errors else (*named, ERRORS_RULE)
    return named if has_latency else (*named, f"behind<={BEHIND_MAX:.0%}")
