"""Objectives held against a whole run: met, missed, or too few requests to say. No IO.

Who failed, was refused or was never sent has no first token and no end: for the percentiles of
waiting (TTFT, TTFO, E2E) it counts as later than all others. Else a server that answers one
request and refuses the rest would keep every limit.
"""

from __future__ import annotations

from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.measures.distributions import answers_of, ranks_among, value_at
from triollama_adapters.loadtest.measures.objectives import Limit, is_strict
from triollama_adapters.loadtest.measures.reasons import why, why_not
from triollama_adapters.loadtest.measures.shares import wilson
from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.result import RESPONSES, Attained, Interval, Judged, Met
from triollama_adapters.loadtest.units import show_count, show_share

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
    limit = objective.limit
    told = f"{failed:,} of {show_count(total, 'request')} failed, {show_share(share.value)}"
    told += f"; the limit is {show_share(limit)}"
    if not limit:
        return Judged(text, share, "missed" if failed else "met", told)
    strict = is_strict(objective)
    if share.high < limit or (share.high == limit and not strict):
        return Judged(text, share, "met", told)
    if share.low > limit or (share.low == limit and strict):
        return Judged(text, share, "missed", told)
    ends = f"{show_share(share.low)} to {show_share(share.high)}"
    why = f"{told}, and with so many requests it may be {ends}"
    return Judged(text, share, "undetermined", why)


def judge_limit(limit: Limit, cell: Cell) -> Judged:
    """Hold a percentile of a run against its limit.

    The verdict is by counts, to the nanosecond; the figure is by the histogram. Requests that were
    cut off before they were late have to change nothing: it is met if it were with all of them
    late, and missed if it were with all of them in time.

    Args:
        limit: of a duration; it has seen every request.
        cell: of the whole run.
    """
    objective = limit.objective
    assert objective.share is not None
    known = limit.kept + limit.broken + limit.late
    independent = answers_of(objective.metric, cell.spans.histograms)
    met = _verdict(limit, known + limit.cut, independent)
    if not known:
        return Judged(objective.text, None, met, why_not(limit))
    shown = _shown(limit, cell, known, independent)
    return Judged(objective.text, shown, met, why(limit, shown, met))


def _verdict(limit: Limit, total: int, independent: int | None) -> Met:
    """Of so many durations: those that are known, and those that were cut off."""
    share = limit.objective.share
    assert share is not None
    if not total:
        return "undetermined"
    _, low, high = ranks_among(total, share, independent)
    if high is not None and limit.kept >= high:
        return "met"
    return "missed" if low is not None and limit.kept + limit.cut < low else "undetermined"


def _shown(limit: Limit, cell: Cell, known: int, independent: int | None) -> Interval | None:
    """The percentile, if it is not one of those that never had it; the ends that there are."""
    objective = limit.objective
    assert objective.share is not None
    spans, metric = cell.spans.histograms, objective.metric
    histogram = cell.gaps if metric == "icl" else spans[RESPONSES.get(metric, metric)]
    rank, low, high = ranks_among(known, objective.share, independent)
    if rank > len(histogram):
        return None
    return Interval(
        value_at(histogram, rank),
        None if low is None else value_at(histogram, low),
        None if high is None or high > len(histogram) else value_at(histogram, high),
    )
