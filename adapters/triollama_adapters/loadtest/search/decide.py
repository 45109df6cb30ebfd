"""Which rate to try next, or that the search is over. Pure.

What is known of a rate is what was said after its last run, which is twice as long as the one
before and judged together with it::

    nothing met          halve the lowest rate          until one is met, or `least` is reached
    nothing missed       double the highest rate        until one is missed, or `most` is reached
    both                 the geometric mean of the two  until they are within `tolerance`

* A run that is undetermined is repeated, `repeats_max` times. If it stays so, the search goes on
  around it: between the highest rate that is met and the lowest undetermined one, then between the
  highest undetermined one and the lowest that is missed.
* When the bracket is narrow, its lower end is run once more, and so is its upper end unless the
  queue grew there: one run in twenty is wrong by chance, and a bisection never looks back.
* A run in which the load tester itself did not keep up tells nothing, and is made once more, for
  something else may have held it up. If it fails again, no rate above is tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.result import Met
from triollama_adapters.loadtest.search.found import CapacityState

__all__ = ["SearchRules", "Tried", "Try", "Verdict", "decide"]

INVALID_TRIES = 2
"""Runs at a rate that the load tester does not keep up with."""

DIGITS = 4
"""Rates are rounded to so many digits: people read and repeat them."""


@attrs.frozen(kw_only=True)
class SearchRules:
    """How a capacity is searched.

    Attributes:
        start: the first rate; more than 0, between `least` and `most`.
        least: no rate below this is tried.
        most: no rate above this is tried.
        tolerance: how wide the bracket may be in the end, as a share of its lower end; from 0.002.
        repeats_max: how often an undetermined run is repeated, each time twice as long.
        steps_max: runs in all.

    Raises:
        PlanError: a number is out of its range.
    """

    start: float = 1.0
    least: float = 0.01
    most: float = 10_000.0
    tolerance: float = 0.04
    repeats_max: int = 2
    steps_max: int = 40

    def __attrs_post_init__(self) -> None:
        if not 0 < self.least <= self.start <= self.most < math.inf:
            raise PlanError(
                f"rates must be 0 < least <= start <= most, "
                f"not {self.least:g}, {self.start:g}, {self.most:g}"
            )
        if not 0.002 <= self.tolerance < 1:
            raise PlanError(f"tolerance must be within 0.002 and 1, not {self.tolerance:g}")
        if self.repeats_max < 0 or self.steps_max < 1:
            raise PlanError("repeats_max must be 0 or more, steps_max 1 or more")


@attrs.frozen
class Tried:
    """One run and its verdict; see `found.Step`."""

    rate: float
    met: Met
    is_saturated: bool = False
    is_valid: bool = True


@attrs.frozen
class Try:
    """Run this next.

    Attributes:
        rate: which to offer.
        times: how many times as long as a first run at this rate.
    """

    rate: float
    times: int = 1


@attrs.frozen
class Verdict:
    """The search is over; see `found.Capacity`."""

    state: CapacityState
    low: float | None
    high: float | None
    why: str


@attrs.frozen
class _Known:
    """What the runs so far say.

    Attributes:
        low: the highest rate that is met below `high`.
        high: the lowest that is missed.
        between: those that are undetermined, between the two, ascending.
        ceiling: the lowest above `low` at which the load tester did not keep up.
    """

    low: float | None
    high: float | None
    between: tuple[float, ...]
    ceiling: float | None


def decide(
    rules: SearchRules, tried: Sequence[Tried], *, is_stopped: bool = False
) -> Try | Verdict:
    """Decide what comes next.

    Args:
        rules: how to search.
        tried: all runs so far, in order.
        is_stopped: whether no further run may be made.
    """
    known = _know(tried)
    step = _next(rules, tried, known)
    if isinstance(step, Verdict) or not (is_stopped or len(tried) >= rules.steps_max):
        return step
    why = "it was stopped" if is_stopped else "the search ended"
    runs = "1 run" if len(tried) == 1 else f"{len(tried)} runs"
    return Verdict("undetermined", known.low, known.high, f"{why} after {runs}")


def _know(tried: Sequence[Tried]) -> _Known:
    last = {each.rate: each for each in tried}
    last |= {each.rate: each for each in tried if each.is_valid}  # these tell more
    high = min((rate for rate, each in last.items() if each.met == "missed"), default=None)
    top = math.inf if high is None else high
    low = max(
        (rate for rate, each in last.items() if each.met == "met" and rate < top), default=None
    )
    between = sorted(
        rate
        for rate, each in last.items()
        if each.met == "undetermined" and (low or 0.0) < rate < top
    )
    invalid = [rate for rate in between if not last[rate].is_valid]
    return _Known(low, high, tuple(between), min(invalid, default=None))


def _next(rules: SearchRules, tried: Sequence[Tried], known: _Known) -> Try | Verdict:
    if not tried:
        return Try(rules.start)
    last = tried[-1]
    if not last.is_valid and not _is_spent(tried, last.rate):
        return _next(rules, tried[:-1], _know(tried[:-1]))  # the same again, as long as it was
    runs = sum([each.rate == last.rate and each.is_valid for each in tried])
    if last.met == "undetermined" and last.is_valid and runs <= rules.repeats_max:
        return Try(last.rate, 2**runs)
    if known.low is None:
        return _down(rules, tried, known)
    if known.high is None:
        return _up(rules, tried, known)
    return _within(rules, tried, known, known.low, known.high)


def _is_spent(tried: Sequence[Tried], rate: float) -> bool:
    """Whether the load tester did not keep up with a rate as often as it is tried."""
    return sum([each.rate == rate and not each.is_valid for each in tried]) >= INVALID_TRIES


def _down(rules: SearchRules, tried: Sequence[Tried], known: _Known) -> Try | Verdict:
    """Nothing is met so far."""
    lowest = min(each.rate for each in tried)
    if lowest > rules.least:
        return Try(max(_rounded(lowest / 2), rules.least))
    if known.high is not None and known.high <= lowest:
        return Verdict("below", None, known.high, f"even {lowest:g} is too much")
    return Verdict("undetermined", None, known.high, f"no rate from {lowest:g} on is surely met")


def _up(rules: SearchRules, tried: Sequence[Tried], known: _Known) -> Try | Verdict:
    """Nothing is missed so far."""
    low = known.low
    assert low is not None
    if known.ceiling is not None:
        return _below_ceiling(rules, tried, known, low, known.ceiling)
    highest = max((low, *known.between))
    if highest < rules.most:
        return Try(min(_rounded(2 * highest), rules.most))
    return _confirmed(tried, low) or (
        Verdict("above", low, None, f"{low:g} is met, and no more was allowed")
        if low >= rules.most
        else _unsure(rules, tried, known, low, None)
    )


def _below_ceiling(
    rules: SearchRules, tried: Sequence[Tried], known: _Known, low: float, ceiling: float
) -> Try | Verdict:
    """The load tester is slower than the server: how far does it get?"""
    step = _gap(rules, (low, *[rate for rate in known.between if rate < ceiling], ceiling))
    if step is not None:
        return Try(step)
    return _confirmed(tried, low) or Verdict(
        "above", low, None, f"{low:g} is met; at {ceiling:g} the load tester did not keep up"
    )


def _within(
    rules: SearchRules, tried: Sequence[Tried], known: _Known, low: float, high: float
) -> Try | Verdict:
    """The answer is between the two."""
    if high > low * (1 + rules.tolerance) * (1 + 1e-9):
        return _unsure(rules, tried, known, low, high)
    again = _confirmed(tried, low) or _confirmed(tried, high)
    return again or Verdict("found", low, high, f"{low:g} is met, {high:g} is not")


def _unsure(
    rules: SearchRules, tried: Sequence[Tried], known: _Known, low: float, high: float | None
) -> Try | Verdict:
    """The bracket is wide: halve the gap below what is undetermined, then the one above it."""
    ends = (low, known.between[0]) if high is None else (low, *known.between, high)
    step = _gap(rules, ends)
    if step is not None:
        return Try(step)
    shown = ", ".join(f"{rate:g}" for rate in known.between)
    bracket = f"it is above {low:g}" if high is None else f"it is between {low:g} and {high:g}"
    why = f"{bracket}: at {shown} it cannot be told from {rules.repeats_max + 1} runs"
    return _confirmed(tried, low) or Verdict("undetermined", low, high, why)


def _gap(rules: SearchRules, ends: Sequence[float]) -> float | None:
    """The middle of the first gap that is too wide; only the outer gaps count."""
    outer = {(ends[0], ends[1]): None, (ends[-2], ends[-1]): None}
    for start, end in outer:
        if end > start * (1 + rules.tolerance) * (1 + 1e-9):
            return _rounded(math.sqrt(start * end))
    return None


def _confirmed(tried: Sequence[Tried], rate: float) -> Try | None:
    """One more run of an end of the bracket, unless it had two, its queue grew, or it cannot be."""
    runs = [each for each in tried if each.rate == rate and each.is_valid]
    if len(runs) > 1 or runs[-1].is_saturated or _is_spent(tried, rate):
        return None
    return Try(rate, 2)


def _rounded(rate: float) -> float:
    return float(f"{rate:.{DIGITS}g}")
