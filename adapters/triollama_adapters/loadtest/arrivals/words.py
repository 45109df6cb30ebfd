"""Rates, durations, phases and counts as a user writes them. No IO.

The grammars, as the errors show them, are the constants; blanks do not matter.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Final

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Phase

__all__ = [
    "COUNTS",
    "DURATION",
    "PHASES",
    "RATE",
    "RATES",
    "VALUES_MAX",
    "parse_counts",
    "parse_duration",
    "parse_phases",
    "parse_rate",
    "parse_rates",
]

DURATION: Final = "a number with ms, s, m, h or d, or several: 500ms, 60s, 5m, 1h30m"
RATE: Final = "a number above 0, by itself or per s, m or h: 20, 20/s, 0.5/s, 90/m"
RATES: Final = (
    "values with commas or a range, which doubles or goes by steps, per s, m or h: "
    "1,2,5/s or 1..50/s or 10..50 by 10"
)
COUNTS: Final = (
    "whole numbers from 1 on with commas, or a range, which doubles or goes by steps: "
    "1,2,4 or 1..64 or 10..50 by 10"
)
PHASES: Final = (
    "rates with commas, each for a time: 10/s for 30s, 10..50/s for 60s (a ramp), "
    "10..50/s for 5m in 5 steps, 200/s for 5s (a spike)"
)

VALUES_MAX: Final = 1_000
"""Values of one list, and steps of one ramp: each is a run of its own, or a phase in a report."""

_NUMBER: Final = r"\d+(?:\.\d*)?|\.\d+"
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION_PART: Final = re.compile(rf"({_NUMBER})(ms|s|m|h|d)")
_RATE: Final = re.compile(rf"({_NUMBER})(?:/(s|m|h))?")
_RANGE: Final = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:by({_NUMBER}))?")
_PER: Final = re.compile(r"(.*?)(?:/(s|m|h))?")
_PHASE: Final = re.compile(
    rf"({_NUMBER})(?:\.\.({_NUMBER}))?(?:/(s|m|h))?(?:for([^i]+)(?:in(\d+)steps)?)?"
)


def parse_duration(text: str, *, field: str = "duration") -> float:
    """A duration such as ``60s`` or ``1h30m``, in seconds, 0 or more.

    Args:
        text: as written; ``0`` needs no unit.
        field: whose value it is, for the error.

    Raises:
        PlanError: it is none; the grammar is shown.
    """
    plain = _plain(text)
    parts = _DURATION_PART.findall(plain)
    if plain != "0" and (not parts or "".join(map("".join, parts)) != plain):
        raise _no(text, "duration", DURATION, field)
    seconds = math.fsum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if not math.isfinite(seconds):
        raise _no(text, "duration", DURATION, field)
    return seconds


def parse_rate(text: str, *, field: str = "rate") -> float:
    """One rate such as ``20/s`` or ``90/m``, per second.

    Raises:
        PlanError: it is none, or 0; the grammar is shown.
    """
    found = _RATE.fullmatch(_plain(text))
    rate = float(found[1]) / _UNITS_S[found[2] or "s"] if found else 0.0
    if not 0.0 < rate < math.inf:
        raise _no(text, "rate", RATE, field)
    return rate


def parse_rates(text: str, *, field: str = "rate") -> tuple[float, ...]:
    """The rates of a sweep, such as ``1..50/s``, per second, rising.

    A range doubles from its beginning to its end, both included, or goes by steps; a unit at the
    end is for all.

    Raises:
        PlanError: they are none, are not in order, or too many; the grammar is shown.
    """
    found = _PER.fullmatch(_plain(text))
    assert found is not None, "the pattern takes any line"
    values = _values(found[1])
    if not values:
        raise _no(text, "list of rates", RATES, field)
    unit_s = _UNITS_S[found[2] or "s"]
    return tuple(value / unit_s for value in values)


def parse_counts(text: str, *, field: str = "concurrency") -> tuple[int, ...]:
    """The numbers of users of a sweep, such as ``1,2,4`` or ``1..64``, rising.

    Raises:
        PlanError: they are none, are not in order, or too many; the grammar is shown.
    """
    values = _values(_plain(text))
    if not values or any(value != int(value) for value in values):
        raise _no(text, "list of counts", COUNTS, field)
    return tuple(map(int, values))


def parse_phases(
    text: str, *, duration_s: float | None = None, field: str = "rate"
) -> tuple[Phase, ...]:
    """The rate over time, such as ``10/s for 30s, 10..50/s for 60s, 200/s for 5s``.

    Args:
        text: as written.
        duration_s: for a single rate without a time of its own.
        field: whose value it is, for the error.

    Raises:
        PlanError: it is none, or has no rate above 0; the grammar is shown.
    """
    items = _plain(text).split(",")
    given_s = duration_s if len(items) == 1 else None
    phases = [phase for item in items for phase in _phases(item, given_s, text, field)]
    if not any(phase.from_per_s + phase.to_per_s > 0.0 for phase in phases):
        raise _no(text, "rate over time", PHASES, field)
    return tuple(phases)


def _phases(item: str, given_s: float | None, text: str, field: str) -> list[Phase]:
    found = _PHASE.fullmatch(item)
    if found is None or (found[4] is None and given_s is None):
        raise _no(text, "rate over time", PHASES, field)
    begin = float(found[1]) / _UNITS_S[found[3] or "s"]
    end = float(found[2]) / _UNITS_S[found[3] or "s"] if found[2] else begin
    length_s = parse_duration(found[4], field=field) if found[4] else given_s
    assert length_s is not None
    steps = int(found[5] or 0)
    is_sound = length_s > 0.0 and math.isfinite(begin + end)
    if not is_sound or (found[5] and not 2 <= steps <= VALUES_MAX):
        raise _no(text, "rate over time", PHASES, field)
    if not steps:
        return [Phase(length_s, begin, end)]
    rates = [begin + (end - begin) * step / (steps - 1) for step in range(steps)]
    return [Phase(length_s / steps, rate, rate) for rate in rates]


def _values(text: str) -> list[float]:
    """Rising numbers above 0; none where the text is not a list of them."""
    if found := _RANGE.fullmatch(text):
        values = _range(float(found[1]), float(found[2]), float(found[3]) if found[3] else None)
    else:
        parts = text.split(",")
        if not all(re.fullmatch(_NUMBER, part) for part in parts):
            return []
        values = list(map(float, parts))
    is_rising = all(a < b for a, b in pairwise(values))
    is_fit = 0 < len(values) <= VALUES_MAX and values[0] > 0.0 and values[-1] < math.inf
    return values if is_fit and is_rising else []


def _range(low: float, high: float, step: float | None) -> list[float]:
    if not 0.0 < low < high < math.inf or step == 0.0:
        return []
    values: list[float] = []
    value = low
    # The end stands for itself, not for the sum of steps that comes near it.
    while value < high * (1.0 - 1e-9) and len(values) <= VALUES_MAX:
        values.append(value)
        value = low + step * len(values) if step is not None else value * 2.0
    return [*values, high]


def _plain(text: str) -> str:
    return "".join(text.split())


def _no(text: str, what: str, grammar: str, field: str) -> PlanError:
    return PlanError(f"{text!r} is no {what}; write {grammar}", field=field)
