"""What a schedule turned out to be: its rate, how bursty it is, how even. In one pass, flat memory.

For the proofs, and so that a report can say what was offered rather than what was meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from triollama_adapters.loadtest.arrivals.rates import expected, fit_phases
from triollama_adapters.loadtest.plan import Phase

__all__ = ["WINDOW_S", "Arrived", "look_at"]

WINDOW_S: Final = 1.0
"""Windows in which arrivals are counted, as in metrics.md."""

_NS: Final = 1_000_000_000


@attrs.frozen
class Arrived:
    """A schedule as it was.

    Attributes:
        count: arrivals.
        rate_per_s: of them, over the whole length.
        dispersion: index of dispersion of the counts in windows, their variance over their mean: 1
            for Poisson, 0 for constant; None without two windows or without arrivals. Where the
            rate changes, each count is held against what is expected in its window.
        variation: coefficient of variation of the gaps, standard deviation over mean: 1 for
            Poisson, 0 for constant; None without two gaps, or if all arrivals are at once.
    """

    count: int
    rate_per_s: float
    dispersion: float | None
    variation: float | None


def look_at(
    times_ns: Iterable[int],
    length_s: float,
    *,
    phases: Sequence[Phase] | None = None,
    window_s: float = WINDOW_S,
) -> Arrived:
    """Measure a schedule.

    Args:
        times_ns: sorted, from 0; what is at or after the end is left out.
        length_s: how long it is.
        phases: its rate, if that changes.
        window_s: in which arrivals are counted; what remains of the length is left out of it.

    Raises:
        ValueError: there is not one whole window.
    """
    windows = int(length_s / window_s + 1e-9)
    if windows < 1:
        raise ValueError(f"length_s {length_s} is shorter than one window of {window_s} s")
    counts, gaps, count = [0] * windows, _Moments(), 0
    window_ns, end_ns = window_s * _NS, length_s * _NS
    before_ns: int | None = None
    for at_ns in times_ns:
        if at_ns >= end_ns:
            break
        count += 1
        if (window := int(at_ns / window_ns)) < windows:
            counts[window] += 1
        if before_ns is not None:
            gaps.add(at_ns - before_ns)
        before_ns = at_ns
    dispersion = _dispersion(counts, _means(counts, phases, window_s))
    return Arrived(count, count / length_s, dispersion, gaps.variation())


class _Moments:
    """Mean and variance in one pass (Welford)."""

    __slots__ = ("count", "mean", "squares")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        away = value - self.mean
        self.mean += away / self.count
        self.squares += away * (value - self.mean)

    def variation(self) -> float | None:
        if self.count < 2 or self.mean <= 0.0:
            return None
        return math.sqrt(self.squares / (self.count - 1)) / self.mean


def _means(
    counts: Sequence[int], phases: Sequence[Phase] | None, window_s: float
) -> Sequence[float]:
    if phases is None:
        return [sum(counts) / len(counts)] * len(counts)
    by_end = [expected(fit_phases(phases, window_s * (at + 1))) for at in range(len(counts))]
    return [after - before for before, after in zip([0.0, *by_end], by_end, strict=False)]


def _dispersion(counts: Sequence[int], means: Sequence[float]) -> float | None:
    """Pearson's: squared deviations over what is expected; with one mean, variance over mean."""
    parts = [(n - mean) ** 2 / mean for n, mean in zip(counts, means, strict=True) if mean > 0.0]
    return math.fsum(parts) / (len(parts) - 1) if len(parts) > 1 else None
