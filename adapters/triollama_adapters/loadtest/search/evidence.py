"""What the requests of one or several runs say about a percentile's limit. Pure.

That a percentile is below its limit is the same as that the share of requests beyond the limit is
below ``1 - share``. Shares of several runs can be added up, and can be held against the number of
requests that know nothing of each other, see `likeness`.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.result import RESPONSES, Met, Result
from triollama_adapters.loadtest.search.likeness import likeness

__all__ = ["Evidence", "evidence_of", "weigh", "wilson"]

WAITS = ("ttft", "ttfo", "e2e")
"""For these a request that failed is as bad as a slow one: it never had what it waited for."""

_Z = 1.959963984540054
"""Of a 95 % interval."""


@attrs.frozen
class Evidence:
    """The requests of a run.

    Attributes:
        slow: how many were beyond the limit, or failed.
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
    failed = sum(result.counts.errors.values()) if metric in WAITS else 0
    slow = sum([count for edge, count in found.buckets if edge >= objective.limit * 1e9])
    count = found.count + failed
    return Evidence(slow + failed, count, count / likeness(result, share))


def weigh(objective: Objective, evidence: Sequence[Evidence]) -> tuple[Met, str]:
    """What all of it says together, with the reason."""
    share = objective.share
    assert share is not None
    slow, count = sum(each.slow for each in evidence), sum(each.count for each in evidence)
    effective = sum(each.effective for each in evidence)
    low, high = wilson(slow / count * effective, effective)
    met: Met = "met" if high < 1 - share else "missed" if low > 1 - share else "undetermined"
    why = (
        f"{slow / count:.2%} of {count} requests were beyond {objective.limit:g} s; as what waits "
        f"together is alike, they say as much as {effective:.0f}: {low:.2%} to {high:.2%}"
    )
    return met, why


def wilson(good: float, total: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927); counts may be broken."""
    share, z2 = good / total, _Z * _Z
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    spread = share * (1 - share) / total + z2 / (4 * total * total)
    half = _Z * spread**0.5 / (1 + z2 / total)
    return max(0.0, middle - half), min(1.0, middle + half)
