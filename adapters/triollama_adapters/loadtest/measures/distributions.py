"""Histograms -> distributions, with the intervals of their percentiles. No IO.

An interval by order statistics takes values to be independent. The times between the chunks of one
answer are not: a slow answer has hundreds of long ones. So all of them count for no more than their
answers do, which is right where the chunks of an answer are all alike and careful where they are
not (the design effect of whole clusters; Kish, Survey Sampling, 1965).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from triollama_adapters.histogram import Histogram, ranks_for
from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.result import METRICS, RESPONSES, Distribution, Interval

__all__ = [
    "NS",
    "PERCENTILES",
    "answers_of",
    "distribution_of",
    "metrics_of",
    "percentile_of",
    "ranks_among",
    "value_at",
]

NS: Final = 1e9

PERCENTILES: Final = {
    "p50": 0.5,
    "p75": 0.75,
    "p90": 0.9,
    "p95": 0.95,
    "p99": 0.99,
    "p99.9": 0.999,
}
"""Those that a `Distribution` has."""


def metrics_of(cell: Cell) -> dict[str, Distribution]:
    """A distribution for each of `METRICS` and `RESPONSES` that there is."""
    histograms = {**cell.spans.histograms, "icl": cell.gaps}
    found = {name: histograms[name] for name in (*METRICS, *RESPONSES.values())}
    return {
        name: distribution_of(each, independent=answers_of(name, histograms))
        for name, each in found.items()
        if len(each)
    }


def answers_of(metric: str, known: Mapping[str, Histogram]) -> int | None:
    """How many values of a metric know nothing of each other; None for all of them.

    Args:
        metric: one of `METRICS`.
        known: histograms by metric; each answer that has times between chunks has one ``icl_max``.
    """
    return len(known["icl_max"]) if metric == "icl" and "icl_max" in known else None


def distribution_of(histogram: Histogram, *, independent: int | None = None) -> Distribution:
    """How the values of a histogram of nanoseconds are spread; it has at least one.

    Args:
        histogram: of them.
        independent: see `percentile_of`.
    """
    mean = histogram.mean
    assert mean is not None
    return Distribution(
        count=len(histogram),
        mean_s=mean / NS,
        least_s=histogram.least / NS,
        most_s=histogram.most / NS,
        percentiles={
            name: percentile_of(histogram, at, independent=independent)
            for name, at in PERCENTILES.items()
        },
        buckets=histogram.buckets,
    )


def percentile_of(
    histogram: Histogram, share: float, *, independent: int | None = None
) -> Interval | None:
    """A percentile in seconds, by nearest rank, with its 95 % interval by order statistics.

    Args:
        histogram: of nanoseconds.
        share: within (0, 1), 0.99 for p99.
        independent: how many values say as much, knowing nothing of each other; None for all.

    Returns:
        None where the interval would have no upper end, see `histogram.needed_for`.
    """
    if not len(histogram):
        return None
    rank, low, high = ranks_among(len(histogram), share, independent)
    if high is None:
        return None
    ranks = [rank, high] if low is None else [low, rank, high]
    values = [value / NS for value in histogram.at_ranks(ranks)]
    return Interval(values[-2], values[0] if low is not None else None, values[-1])


def ranks_among(
    count: int, share: float, independent: int | None = None
) -> tuple[int, int | None, int | None]:
    """As `histogram.ranks_for`, where so many values say no more than fewer independent ones.

    The ends are those of the fewer ones, at the same share of all values, rounded outwards.

    Args:
        count: of values, at least 1.
        share: within (0, 1), 0.99 for p99.
        independent: how many independent ones say as much; None for all, and never more.
    """
    rank, low, high = ranks_for(count, share)
    if independent is None or independent >= count:
        return rank, low, high
    _, low, high = ranks_for(max(1, independent), share)
    each = count / max(1, independent)
    return (
        rank,
        None if low is None else math.floor((low - 1) * each) + 1,
        None if high is None else math.ceil(high * each),
    )


def value_at(histogram: Histogram, rank: int) -> float:
    """The value of a rank, from 1, in seconds; ranks beyond the last are never reached."""
    if rank > len(histogram):
        return float("inf")
    return histogram.at_ranks([rank])[0] / NS
