"""A rate that changes over time, integrated and inverted.

A point process with rate ``r(t)`` is one with rate 1 on another clock, ``L(t)``: the integral of
``r`` from 0 to ``t``, "sessions expected by then". So every way of drawing arrivals is written for
rate 1, and its times are put through the inverse of ``L`` (inversion, as in Law, Simulation
Modeling and Analysis, 8.6.2). That is exact for ramps, where thinning would throw draws away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from triollama_adapters.loadtest.plan import Phase

__all__ = ["at_rate", "expected", "fit_phases", "total_s"]

_NS: Final = 1_000_000_000


def total_s(phases: Sequence[Phase]) -> float:
    """How long all phases take, in seconds."""
    return math.fsum(phase.duration_s for phase in phases)


def expected(phases: Sequence[Phase]) -> float:
    """How many sessions they hold: the integral of the rate."""
    return math.fsum(_expected(phase) for phase in phases)


def at_rate(points: Iterable[float], phases: Sequence[Phase]) -> Iterator[int]:
    """Put sorted points of a process with rate 1 where the phases' rate has them.

    Within a phase of length ``d`` whose rate goes from ``a`` to ``b``, the integral is
    ``a t + (b - a) t² / 2d``; its inverse is written so that nothing cancels where ``a`` is 0 or
    ``a = b``.

    Args:
        points: sorted, each in ``[0, expected(phases))``; what is beyond by rounding is at the end.
        phases: the rate.

    Yields:
        Nanoseconds from the phases' beginning on, sorted.
    """
    following = iter(phases)
    begin_s = end_s = below = above = rate = slope = 0.0
    for point in points:
        while point >= above and (phase := next(following, None)) is not None:
            begin_s, end_s = end_s, end_s + phase.duration_s
            below, above = above, above + _expected(phase)
            rate = phase.from_per_s
            slope = (phase.to_per_s - rate) / phase.duration_s
        over = point - below
        speed = rate + math.sqrt(max(0.0, rate * rate + 2.0 * slope * over))
        offset_s = 2.0 * over / speed if speed > 0.0 else 0.0
        yield round(min(begin_s + offset_s, end_s) * _NS)


def fit_phases(phases: Sequence[Phase], length_s: float) -> tuple[Phase, ...]:
    """The same phases for exactly so long: the last rate is held, or what is too much cut off."""
    fitted: list[Phase] = []
    left_s = length_s
    for phase in phases:
        if left_s <= 0.0:
            break
        fitted.append(_cut(phase, left_s))
        left_s -= phase.duration_s
    if left_s > 0.0 and phases:
        rate = phases[-1].to_per_s
        fitted.append(Phase(left_s, rate, rate))
    return tuple(fitted)


def _expected(phase: Phase) -> float:
    return phase.duration_s * (phase.from_per_s + phase.to_per_s) / 2.0


def _cut(phase: Phase, length_s: float) -> Phase:
    if phase.duration_s <= length_s:
        return phase
    change = (phase.to_per_s - phase.from_per_s) * length_s / phase.duration_s
    return Phase(length_s, phase.from_per_s, phase.from_per_s + change)
