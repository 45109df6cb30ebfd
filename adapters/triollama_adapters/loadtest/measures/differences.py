"""Figures of two runs with their draws -> which of them differ, and whether it matters. No IO.

Where many figures are looked at, some of them seem to have changed by chance. So a figure is called
better or worse only if it stands Holm's correction over all that are judged in one comparison: if
nothing changed, at most 5 % of comparisons call any figure better or worse (S. Holm, A simple
sequentially rejective multiple test procedure, 1979). And only if the change is large enough that
somebody may care.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from triollama_adapters.loadtest.measures.bootstrap import spread
from triollama_adapters.loadtest.result import Interval
from triollama_adapters.loadtest.units import show_number, show_s

__all__ = [
    "FALSE_MOST",
    "MATTERS",
    "MATTERS_POINTS",
    "SAME_POINTS",
    "Difference",
    "Drawn",
    "Unit",
    "Verdict",
    "judge",
]

Verdict: TypeAlias = Literal["better", "worse", "same", "undetermined"]
"""``same``: no difference that matters, as the whole interval is less than that; ``undetermined``:
the change may be noise, too small to matter, or no more than the client can be wrong by."""

Unit: TypeAlias = Literal["s", "/s", "share"]

FALSE_MOST: Final = 0.05
"""Of the comparisons in which nothing changed, those that call any figure better or worse."""

MATTERS: Final = 0.01
"""The smallest change of a time or a rate that matters, as a share of it: a histogram is not finer,
and no user feels less. And what the client cannot time makes no verdict: a time has to change by
more than its timing error, too."""

MATTERS_POINTS: Final = 0.001
"""The smallest change of a share that matters: a tenth of a point is one request in a thousand."""

SAME_POINTS: Final = 0.01
"""A share whose change is within a point and around nothing is the same. A point that is no chance
is much of errors."""


class Difference(msgspec.Struct, frozen=True):
    """One figure of two runs.

    Attributes:
        figure: its name: ``ttft_p95``, ``e2e_mean``, ``output_tokens``, ``attainment``, ``errors``.
        unit: ``s``, ``/s`` or ``share``.
        before: of the first run.
        after: of the second.
        change: ``after / before - 1`` with its 95 % interval; for a share ``after - before``. It is
            this figure's alone; the verdict is by an interval that is wider, see `judge`.
        verdict: see `Verdict`.
        why: in words.
    """

    figure: str
    unit: Unit
    before: float
    after: float
    change: Interval
    verdict: Verdict
    why: str


class Drawn(msgspec.Struct, frozen=True):
    """A figure of two runs, and its draws.

    Attributes:
        figure: its name.
        unit: of both.
        values: as measured, of the first run and of the second.
        change: ``after / before - 1`` as measured; for a share ``after - before``.
        changes: draws of what it might have been.
        is_more_better: of a rate, and of attainment.
        error_s: how wrong the client may have measured it; 0 for what is no time.
        is_enough: whether there were values enough for a verdict.
    """

    figure: str
    unit: Unit
    values: tuple[float, float]
    change: float
    changes: Sequence[float]
    is_more_better: bool = False
    error_s: float = 0.0
    is_enough: bool = True

    @property
    def least(self) -> float:
        """The smallest change that can be a verdict."""
        return max(self.matters, self.error_s / self.values[0] if self.unit == "s" else 0.0)

    @property
    def matters(self) -> float:
        """The smallest change that matters."""
        return MATTERS_POINTS if self.unit == "share" else MATTERS


def judge(figures: Sequence[Drawn]) -> tuple[Difference, ...]:
    """A verdict on each, such that all of them together are seldom wrong.

    Args:
        figures: all that are judged in one comparison.
    """
    real = _real([_chance(each.changes) if each.is_enough else 1.0 for each in figures])
    return tuple(
        _difference(each, spread(each.change, each.changes), n in real, len(figures))
        for n, each in enumerate(figures)
    )


def _chance(draws: Sequence[float]) -> float:
    """How often chance alone gives so clear a change, in either direction; never 0."""
    sides = sum(each >= 0 for each in draws), sum(each <= 0 for each in draws)
    return min(1.0, 2 * (1 + min(sides)) / (len(draws) + 1))


def _real(chances: Sequence[float]) -> set[int]:
    """Which are no chance: the clearest against all of them, the next against those left."""
    found: set[int] = set()
    for index in sorted(range(len(chances)), key=lambda index: chances[index]):
        if chances[index] > FALSE_MOST / (len(chances) - len(found)):
            break
        found.add(index)
    return found


def _difference(drawn: Drawn, change: Interval, is_real: bool, judged: int) -> Difference:  # noqa: FBT001
    verdict = _verdict(drawn, change, is_real=is_real)
    one = "point" if drawn.unit == "share" else "%"
    ends = f"{_signed(change.low)} to {_signed(change.high)}"
    unit = "points" if drawn.unit == "share" else "%"
    why = f"{_signed(change.value)} {unit} ({ends}): "
    match verdict:
        case "better" | "worse":
            why += "more than noise"
        case "same":
            most = SAME_POINTS if drawn.unit == "share" else MATTERS
            why += f"less than {show_number(100 * most)} {one} either way"
        case "undetermined":
            why += _doubt(drawn, change, judged, is_real=is_real)
    return Difference(drawn.figure, drawn.unit, *drawn.values, change, verdict, why)


def _verdict(drawn: Drawn, change: Interval, *, is_real: bool) -> Verdict:
    low, high = _ends(change)
    most = drawn.matters
    if drawn.unit == "share" and low <= 0 <= high:
        most = SAME_POINTS
    if low >= -most and high <= most:
        return "same"
    if not is_real or abs(change.value) < drawn.least:
        return "undetermined"
    return "better" if (change.value > 0) == drawn.is_more_better else "worse"


def _doubt(drawn: Drawn, change: Interval, judged: int, *, is_real: bool) -> str:
    low, high = _ends(change)
    if abs(change.value) < drawn.least and drawn.least > drawn.matters:
        return f"the client's own timing error is {show_s(drawn.error_s)}"
    if is_real:
        return "may be too small to matter"
    if low <= 0 <= high:
        return "may be noise"
    if not drawn.is_enough:
        return "may be noise: too few requests that do not depend on each other"
    return f"may be noise, as {judged} figures were looked at"


def _ends(change: Interval) -> tuple[float, float]:
    assert change.low is not None
    assert change.high is not None
    return change.low, change.high


def _signed(value: float | None) -> str:
    assert value is not None
    return f"{value * 100:+.1f}"
