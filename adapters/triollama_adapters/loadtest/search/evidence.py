"""What the requests of one or several runs say about a percentile's limit. Pure.

That a percentile is below its limit is the same as that the share of requests beyond the limit is
below ``1 - share``. Shares of several runs can be added up, and can be held against the number of
requests that know nothing of each other, see `measures.likeness`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from triollama_adapters.loadtest.measures.likeness import independent_of
from triollama_adapters.loadtest.measures.shares import wilson
from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.result import RESPONSES, Distribution, Met, Result
from triollama_adapters.loadtest.units import show_count

__all__ = ["Evidence", "evidence_of", "weigh"]

WAITS = ("ttft", "ttfo", "e2e")
"""For these a request that failed before it had what it waited for is as bad as a slow one."""


@attrs.frozen
class Evidence:
    """The requests of a run.

    Attributes:
        slow: how many were beyond the limit, or failed before they had what they waited for.
        count: of how many.
        effective: how many independent ones would say as much.
    """

    slow: int
    count: int
    effective: float


def evidence_of(result: Result, objective: Objective) -> Evidence | None:
    """What a run says; None if it has nothing that this objective is about."""
    metric, share = objective.metric, objective.share
    found = result.metrics.get(RESPONSES.get(metric, metric))
    if found is None or not found.count or share is None:
        return None
    failed = _failed(result, found) if metric in WAITS else 0
    slow = sum([count for edge, count in found.buckets if edge >= objective.limit * 1e9])
    count = found.count + failed
    each = independent_of(result, metric, share) / found.count
    return Evidence(slow + failed, count, count * each)


def _failed(result: Result, found: Distribution) -> int:
    """Requests that failed without having what they waited for.

    One that failed within its answer had a first token: it is in the distribution already.
    """
    failed = sum(result.counts.errors.values())
    return min(failed, max(0, result.counts.scheduled - found.count))


def weigh(objective: Objective, evidence: Sequence[Evidence]) -> tuple[Met, str]:
    """What all of it says together, with the reason."""
    share = objective.share
    assert share is not None
    slow, count = sum(each.slow for each in evidence), sum(each.count for each in evidence)
    effective = sum(each.effective for each in evidence)
    interval = wilson(slow / count * effective, effective)
    low, high = interval.low or 0.0, 1.0 if interval.high is None else interval.high
    met: Met = "met" if high < 1 - share else "missed" if low > 1 - share else "undetermined"
    is_icl = objective.metric == "icl"
    of = f"{count:,} times between chunks" if is_icl else show_count(count, "request")
    why = (
        f"{slow / count:.2%} of {of} were beyond {objective.limit:g} s; as what waits "
        f"together is alike, they say as much as {effective:.0f}: {low:.2%} to {high:.2%}"
    )
    return met, why
