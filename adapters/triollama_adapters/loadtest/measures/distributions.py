"""Histograms -> distributions, with the intervals of their percentiles. No IO."""

from __future__ import annotations

from typing import Final

from triollama_adapters.histogram import Histogram, ranks_for
from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.result import METRICS, RESPONSES, Distribution, Interval

__all__ = ["NS", "PERCENTILES", "distribution_of", "metrics_of", "percentile_of", "value_at"]

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
    return {name: distribution_of(each) for name, each in found.items() if len(each)}


def distribution_of(histogram: Histogram) -> Distribution:
    """How the values of a histogram of nanoseconds are spread; it has at least one."""
    mean = histogram.mean
    assert mean is not None
    return Distribution(
        count=len(histogram),
        mean_s=mean / NS,
        least_s=histogram.least / NS,
        most_s=histogram.most / NS,
        percentiles={name: percentile_of(histogram, at) for name, at in PERCENTILES.items()},
        buckets=histogram.buckets,
    )


def percentile_of(histogram: Histogram, share: float) -> Interval | None:
    """A percentile in seconds, by nearest rank, with its 95 % interval by order statistics.

    Args:
        histogram: of nanoseconds.
        share: within (0, 1), 0.99 for p99.

    Returns:
        None where the interval would have no upper end, see `histogram.needed_for`.
    """
    if not len(histogram):
        return None
    rank, low, high = ranks_for(len(histogram), share)
    if high is None:
        return None
    ranks = [rank, high] if low is None else [low, rank, high]
    values = [value / NS for value in histogram.at_ranks(ranks)]
    return Interval(values[-2], values[0] if low is not None else None, values[-1])


def value_at(histogram: Histogram, rank: int) -> float:
    """The value of a rank, from 1, in seconds; ranks beyond the last are never reached."""
    if rank > len(histogram):
        return float("inf")
    return histogram.at_ranks([rank])[0] / NS
