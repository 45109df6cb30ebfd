"""The progress of several workers as one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from triollama_adapters.loadtest.running.progress import Progress

__all__ = ["merged"]


def merged(parts: Sequence[Progress]) -> Progress:
    """One progress of several, for whoever watches a run; figures of a result come from tallies.

    Counts and rates are added. A recent percentile is the mean of the workers' own, each weighted
    by what it has sent lately: exact if all are alike, and workers that take every so-manieth
    session of one schedule are. Of lags and of CPU it is the greatest.

    Args:
        parts: the last of each worker, at least one.
    """
    foremost = max(parts, key=lambda part: part.at_s)
    return Progress(
        at_s=foremost.at_s,
        stage=foremost.stage,
        until_s=foremost.until_s,
        scheduled=sum(part.scheduled for part in parts),
        sent=sum(part.sent for part in parts),
        ok=sum(part.ok for part in parts),
        failed=sum(part.failed for part in parts),
        others=sum(part.others for part in parts),
        errors=_added(part.errors for part in parts),
        in_flight=_added(part.in_flight for part in parts),
        tokens=sum(part.tokens for part in parts),
        sent_per_s=sum(part.sent_per_s for part in parts),
        ok_per_s=sum(part.ok_per_s for part in parts),
        tokens_per_s=sum(part.tokens_per_s for part in parts),
        ttft_p50_s=_mean(parts, lambda part: part.ttft_p50_s),
        ttft_p95_s=_mean(parts, lambda part: part.ttft_p95_s),
        e2e_p95_s=_mean(parts, lambda part: part.e2e_p95_s),
        start_delay_p99_s=_mean(parts, lambda part: part.start_delay_p99_s),
        lag_s=max(part.lag_s for part in parts),
        cpu=max(part.cpu for part in parts),
    )


def _added(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _mean(parts: Sequence[Progress], figure: Callable[[Progress], float | None]) -> float | None:
    """The mean of a figure over the workers that have it, weighted by what each has sent lately."""
    known = [(value, part.sent_per_s) for part in parts if (value := figure(part)) is not None]
    weight = sum(each for _, each in known)
    if not known:
        return None
    if weight <= 0:
        return sum(value for value, _ in known) / len(known)
    return sum(value * each for value, each in known) / weight
