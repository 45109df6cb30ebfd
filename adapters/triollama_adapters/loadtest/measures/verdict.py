"""Whether the load tester itself was the bottleneck. No IO."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from triollama_adapters.histogram import nearest_rank
from triollama_adapters.loadtest.measures.busy import BUSY_S, Busy
from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.measures.distributions import NS, value_at
from triollama_adapters.loadtest.result import ClientState, Validity
from triollama_adapters.loadtest.units import show_count, show_s

__all__ = ["DELAY_MAX_S", "client_state"]

DELAY_MAX_S: Final = 0.010
DELAY_MAX_OF_TTFT: Final = 0.05
"""p99 of the start delay may be the greater of 10 ms and 5 % of the median TTFT. That is the TTFT
from sending: the one from when it was due has the delay in it, and would forgive itself."""

CPU_MAX: Final = 0.9
"""Of a core, over `BUSY_S`; half of either limit, the delay or the time, is DEGRADED."""

FEW: Final = 100
"""Below so many requests p99 is the latest of all, and one hiccup would decide. There the second
latest is judged, as of 100 by p99; one that is late alone makes the run DEGRADED."""

_SHARE: Final = 0.99


def client_state(
    whole: Cell,
    busy: Mapping[int, Busy],
    *,
    floor: float | None = None,
) -> ClientState:
    """The verdict.

    A start delay ends when the engine's own pool has the request, where one chooses: the line of
    that is measured, and says nothing of the load tester.

    Args:
        whole: of the whole run.
        busy: its processes.
        floor: requests per second of this client against a server that does nothing.
    """
    found = [each.found for each in busy.values()]
    delays = _Delays(whole)
    reasons = [*_on_unsent(whole, delays), *_on_cpu(busy), *_on_delay(whole, delays)]
    validity: Validity = "VALID"
    for worse in ("DEGRADED", "INVALID"):
        if any(verdict == worse for verdict, _ in reasons):
            validity = worse
    lags = whole.spans.histograms["lag"]
    used_ns, requests = sum(each.used_ns for each in found), whole.scheduled + whole.before
    overall = max((each.used_ns / each.ran_ns for each in found if each.ran_ns), default=0.0)
    return ClientState(
        validity=validity,
        reasons=tuple(text for _, text in reasons),
        start_delay_p99_s=min(delays.p99_s, delays.known.most / NS),
        busiest=max((each.most_whole for each in found), default=0.0) or overall,
        timing_error_s=value_at(lags, nearest_rank(len(lags), _SHARE)) if len(lags) else 0.0,
        floor=floor,
        cpu_s_per_request=used_ns / NS / requests if requests else 0.0,
    )


class _Delays:
    """Start delays of all that were to be sent; who never was is later than all others."""

    def __init__(self, whole: Cell) -> None:
        self.known = whole.spans.histograms["start_delay"]
        self.count = len(self.known) + whole.errors["unsent"]
        self.p99_s = self._at(nearest_rank(self.count, _SHARE)) if self.count else 0.0
        self.judged_s = self.p99_s if self.count >= FEW else self._at(self.count - 1)
        self.latest_s = self._at(self.count)

    def _at(self, rank: int) -> float:
        return value_at(self.known, rank) if rank > 0 else 0.0

    def above(self, limit_s: float) -> int:
        """How many are, by the middles of their buckets."""
        return self.count - sum(n for ns, n in self.known.middles if ns <= limit_s * NS)


def _on_unsent(whole: Cell, delays: _Delays) -> Iterator[tuple[Validity, str]]:
    if unsent := whole.errors["unsent"]:
        verdict: Validity = "INVALID" if math.isinf(delays.judged_s) else "DEGRADED"
        yield verdict, f"{unsent:,} of {show_count(whole.scheduled, 'request')} were never sent"


def _on_delay(whole: Cell, delays: _Delays) -> Iterator[tuple[Validity, str]]:
    ttft = whole.spans.histograms["ttft_service"]
    median_s = value_at(ttft, nearest_rank(len(ttft), 0.5)) if len(ttft) else 0.0
    limit_s = max(DELAY_MAX_S, DELAY_MAX_OF_TTFT * median_s)
    judged_s = delays.judged_s
    if limit_s / 2 < judged_s < math.inf:
        is_over = judged_s > limit_s
        yield "INVALID" if is_over else "DEGRADED", _why(delays, limit_s, is_over=is_over)
    elif judged_s <= limit_s / 2 and delays.count < FEW and limit_s < delays.latest_s < math.inf:
        yield "DEGRADED", _why_alone(delays, limit_s)


def _why(delays: _Delays, limit_s: float, *, is_over: bool) -> str:
    if delays.count >= FEW:
        p99 = show_s(delays.judged_s)
        return f"p99 of the start delay is {p99}, and {show_s(limit_s)} is the limit"
    most_s, half = (limit_s, "") if is_over else (limit_s / 2, ", half of the limit")
    late = f"{delays.above(most_s):,} of {show_count(delays.count, 'request')} were sent more than"
    return f"{late} {show_s(most_s)} late{half}; of fewer than {FEW} one may be"


def _why_alone(delays: _Delays, limit_s: float) -> str:
    late = f"1 of {show_count(delays.count, 'request')} was sent {show_s(delays.latest_s)} late"
    limit = f"{show_s(limit_s)} is the limit"
    return f"{late}, and {limit}; with fewer than {FEW} there is no p99 to judge by"


def _on_cpu(busy: Mapping[int, Busy]) -> Iterator[tuple[Validity, str]]:
    for process, each in sorted(busy.items()):
        found, told = each.found, f"process {process} was above {CPU_MAX:.0%} of a core for"
        if found.most_whole > CPU_MAX:
            yield "INVALID", f"{told} more than {BUSY_S:g} s"
        elif found.most_half > CPU_MAX:
            yield "DEGRADED", f"{told} more than {BUSY_S / 2:g} s"
