"""Fewer points than were measured, so that a page stays small however long a run was. No IO."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from triollama_adapters.loadtest.result import Heat, Moment

__all__ = ["cumulate", "short", "thin", "thin_heat", "thin_moments"]

T = TypeVar("T")

SHORT_DIGITS: Final = 4
"""Of a number that is only drawn: a pixel is a thousandth of a chart."""

TAIL_STEP: Final = 0.1
"""In the tail, each point leaves out a tenth of what is left: p99 and p99.9 keep their shape."""


def short(value: float | None) -> float | None:
    """A number with as many digits as can be seen in a chart."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{SHORT_DIGITS}g}")


def thin(values: Sequence[T], most: int) -> Sequence[T]:
    """Every n-th value, so that there are `most` at most."""
    step = max(1, math.ceil(len(values) / most))
    return values[::step]


def thin_moments(
    moments: Sequence[Moment], moment_s: float, most: int
) -> tuple[list[Moment], float]:
    """Neighbours put together, so that there are `most` at most.

    Counts are added; of the medians the mean is taken, weighted by requests; of all that tells of a
    tail the greatest, since percentiles cannot be added and none must be hidden.

    Returns:
        The moments, and how long each of them is now.
    """
    size = max(1, math.ceil(len(moments) / most))
    groups = [moments[at : at + size] for at in range(0, len(moments), size)]
    return [_together(group) for group in groups], size * moment_s


def _together(group: Sequence[Moment]) -> Moment:
    if len(group) == 1:
        return group[0]
    return Moment(
        at_s=group[0].at_s,
        offered=sum(each.offered for each in group),
        sent=sum(each.sent for each in group),
        completed=sum(each.completed for each in group),
        errors=sum(each.errors for each in group),
        in_flight=group[-1].in_flight,
        output_tokens=sum(each.output_tokens for each in group),
        ttft_p50_s=_mean(group, lambda each: each.ttft_p50_s),
        ttft_p95_s=_greatest(group, lambda each: each.ttft_p95_s),
        icl_p50_s=_mean(group, lambda each: each.icl_p50_s),
        icl_p99_s=_greatest(group, lambda each: each.icl_p99_s),
        e2e_p50_s=_mean(group, lambda each: each.e2e_p50_s),
        e2e_p95_s=_greatest(group, lambda each: each.e2e_p95_s),
        start_delay_max_s=max(each.start_delay_max_s for each in group),
    )


def _mean(group: Sequence[Moment], read: Callable[[Moment], float | None]) -> float | None:
    known = [(value, max(1, each.offered)) for each in group if (value := read(each)) is not None]
    weight = sum(count for _, count in known)
    return sum(value * count for value, count in known) / weight if known else None


def _greatest(group: Sequence[Moment], read: Callable[[Moment], float | None]) -> float | None:
    return max((value for each in group if (value := read(each)) is not None), default=None)


def thin_heat(heat: Heat, most: int) -> tuple[list[dict[int, int]], int]:
    """Neighbouring columns added, so that there are `most` at most.

    Returns:
        The columns, and how many of the former ones each of them is.
    """
    size = max(1, math.ceil(len(heat.columns) / most))
    columns = []
    for at in range(0, len(heat.columns), size):
        added: Counter[int] = Counter()
        for each in heat.columns[at : at + size]:
            added.update(each)
        columns.append(dict(sorted(added.items())))
    return columns, size


def cumulate(buckets: Sequence[tuple[int, int]], most: int) -> Iterator[tuple[float, float]]:
    """The cumulative distribution of a histogram, finer towards its end.

    Args:
        buckets: lower edges in nanoseconds, and counts.
        most: points, beside those of the tail.

    Yields:
        Seconds, and the share of the values that are no longer; the last share is 1.
    """
    total = sum(count for _, count in buckets)
    seen, told = 0, 0.0
    for index, (edge, count) in enumerate(buckets):
        seen += count
        share = seen / total
        step = min(1 / most, TAIL_STEP * (1 - told))
        if index == 0 or share - told >= step or seen == total:
            told = share
            yield edge / 1e9, share
