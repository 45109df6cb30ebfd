"""How much less a thousand requests of a queue tell than a thousand independent ones do.

When a queue is long, all who come then wait; so the intervals of percentiles, which take requests
to be independent, are too narrow, and the more so the nearer a server is to its capacity. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from triollama_adapters.loadtest.result import RESPONSES, Result

__all__ = ["independent_of", "likeness", "likeness_of_errors", "ratio_likeness", "requests_of"]

MOMENTS_MIN = 10
"""With fewer moments in the window nothing is known of it, and 1 stands for it."""

LAGS_SHARE = 1 / 3
"""Likeness is followed over this share of the window: beyond, too few pairs are left."""


def independent_of(result: Result, metric: str, share: float) -> float:
    """How many requests that know nothing of each other say as much as those of a run.

    Args:
        result: a run.
        metric: one of `result.METRICS`, with at least one value.
        share: of the percentile that is to be judged, such as 0.95.
    """
    return requests_of(result, metric) / likeness(result, share)


def requests_of(result: Result, metric: str) -> int:
    """The requests that a metric is of: times between chunks are many for each."""
    found, answers = result.metrics[RESPONSES.get(metric, metric)], result.metrics.get("icl_max")
    if metric != "icl" or answers is None:
        return found.count
    return min(found.count, answers.count)


def likeness(result: Result, share: float) -> float:
    """By how much the variance of the share of slow requests exceeds that of independent ones.

    So many times as many requests are needed: the design effect (Kish, Survey Sampling, 1965). It
    is taken from TTFT over time, where the share of slow ones is nearest to ``1 - share``.

    Args:
        result: a run; its heat map is read.
        share: of the percentile that is to be judged, such as 0.95.

    Returns:
        1 or more.
    """
    plan, heat = result.plan, result.heat
    end_s = plan.warm_up_s + result.window_s
    columns = [
        column
        for moment, column in zip(result.moments, heat.columns, strict=False)
        if moment.at_s >= plan.warm_up_s and moment.at_s + result.moment_s <= end_s + 1e-9
    ]
    counts = [sum(column.values()) for column in columns]
    total = sum(counts)
    if len(columns) < MOMENTS_MIN or not total:
        return 1.0
    by_row = [sum([column.get(row, 0) for column in columns]) for row in range(len(heat.edges_s))]
    above = [sum(by_row[row:]) / total for row in range(len(by_row))]
    varied = [row for row, value in enumerate(above) if 0 < value < 1]
    if not varied:
        return 1.0
    edge = min(varied, key=lambda row: abs(above[row] - (1 - share)))
    slow = [sum([count for row, count in column.items() if row >= edge]) for column in columns]
    return ratio_likeness(slow, counts)


def likeness_of_errors(result: Result) -> float:
    """The same for the share of requests that failed: they fail in bursts."""
    end_s = result.plan.warm_up_s + result.window_s
    moments = [
        each
        for each in result.moments
        if each.at_s >= result.plan.warm_up_s and each.at_s + result.moment_s <= end_s + 1e-9
    ]
    failed, offered = [each.errors for each in moments], [each.offered for each in moments]
    if len(moments) < MOMENTS_MIN or not sum(offered):
        return 1.0
    return ratio_likeness(failed, offered)


def ratio_likeness(slow: Sequence[int], counts: Sequence[int]) -> float:
    """The same, from the number of slow requests and of all of them, moment by moment.

    The variance of the ratio is that of its residuals, with their covariances over time, added up
    until two in a row are negative together (Geyer, Practical Markov chain Monte Carlo, Statistical
    Science 7, 1992).
    """
    total, ratio = sum(counts), sum(slow) / sum(counts)
    if not 0.0 < ratio < 1.0:
        return 1.0
    rest = [x - ratio * n for x, n in zip(slow, counts, strict=True)]
    variance = _covariance(rest, 0)
    for lag in range(1, int(len(rest) * LAGS_SHARE), 2):
        pair = _covariance(rest, lag) + _covariance(rest, lag + 1)
        if pair <= 0:
            break
        variance += 2 * pair
    return max(variance / (ratio * (1 - ratio) * total), 1.0)


def _covariance(values: Sequence[float], lag: int) -> float:
    """The sum, not the mean, of the products of values so far apart; their mean is 0."""
    return math.fsum([a * b for a, b in zip(values, values[lag:], strict=False)])
