"""Objectives held against a whole run: met, missed, or too few requests to say. No IO.

Who failed, was refused or was never sent has no first token and no end: for the percentiles of
waiting (TTFT, TTFO, E2E) it counts as later than all others. Else a server that answers one
request and refuses the rest would keep every limit.
"""

from __future__ import annotations

import math

from triollama_adapters.histogram import Histogram, needed_for, ranks_for
from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.measures.distributions import value_at
from triollama_adapters.loadtest.measures.objectives import Limit
from triollama_adapters.loadtest.measures.shares import wilson
from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.result import Attained, Interval, Judged, Met

__all__ = ["attained_by", "judge_errors", "judge_limit"]


def attained_by(
    cell: Cell, objectives: tuple[Objective, ...], limits: tuple[Limit, ...]
) -> Attained | None:
    """What became of the objectives; None without any.

    Args:
        cell: of the whole run.
        objectives: all of them.
        limits: those on durations, in the same order.
    """
    if not objectives:
        return None
    left = iter(limits)
    judged = tuple(
        judge_errors(each, sum(cell.errors.values()), cell.scheduled)
        if each.metric == "errors"
        else judge_limit(next(left), cell)
        for each in objectives
    )
    return Attained(cell.good, wilson(cell.good, cell.scheduled), judged)


def judge_errors(objective: Objective, failed: int, total: int) -> Judged:
    """Hold the share of the requests that failed against its limit.

    Args:
        objective: on ``errors``.
        failed: how many did.
        total: of how many.
    """
    text = objective.text
    if not total:
        return Judged(text, None, "undetermined", "no requests")
    share = wilson(failed, total)
    assert share.low is not None
    assert share.high is not None
    limit, told = objective.limit, f"{failed} of {total} failed"
    if not limit:
        return Judged(text, share, "missed" if failed else "met", told)
    is_open = "<=" not in text
    if share.high < limit or (share.high == limit and not is_open):
        return Judged(text, share, "met", told)
    if share.low > limit or (share.low == limit and is_open):
        return Judged(text, share, "missed", told)
    why = f"{told}: with so many requests, it may be {share.low:.2%} to {share.high:.2%}"
    return Judged(text, share, "undetermined", why)


def judge_limit(limit: Limit, cell: Cell) -> Judged:
    """Hold a percentile of a run against its limit.

    Args:
        limit: of a duration; it has seen every request.
        cell: of the whole run.
    """
    objective = limit.objective
    assert objective.share is not None
    histogram = _histogram_of(objective.metric, cell)
    total = len(histogram) + limit.late
    if not total:
        return Judged(objective.text, None, "undetermined", "nothing to measure it by")
    rank, low, high = ranks_for(total, objective.share)
    value, least, most = (
        value_at(histogram, rank),
        0.0 if low is None else value_at(histogram, low),
        math.inf if high is None else value_at(histogram, high),
    )
    most_s = limit.most_ns / 1e9
    met: Met = "met" if most <= most_s else "missed" if least > most_s else "undetermined"
    shown = None
    if math.isfinite(value):
        lowest = None if low is None or math.isinf(least) else least
        shown = Interval(value, lowest, most if math.isfinite(most) else None)
    return Judged(objective.text, shown, met, _why(limit, histogram, met))


def _histogram_of(metric: str, cell: Cell) -> Histogram:
    if metric == "icl":
        return cell.gaps
    return cell.spans.histograms["ttfo_response" if metric == "ttfo" else metric]


def _why(limit: Limit, histogram: Histogram, met: Met) -> str:
    share = limit.objective.share
    assert share is not None
    total, needed = len(histogram) + limit.late, needed_for(share)
    parts = [f"{total} values"]
    if limit.late:
        parts = [f"{total} requests, {limit.late} of which never had it and count as late"]
    if met == "undetermined":
        parts.append(
            f"{needed} are needed"
            if total < needed
            else "the interval of the percentile holds the limit"
        )
    if limit.unknown:
        parts.append(f"{limit.unknown} were cut off or left before it was late, and do not count")
    return "; ".join(parts)
