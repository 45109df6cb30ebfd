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

_SHARE: Final = 0.99


def client_state(
    whole: Cell,
    busy: Mapping[int, Busy],
    *,
    floor: float | None = None,
    has_line: bool = False,
) -> ClientState:
    """The verdict.

    Args:
        whole: of the whole run.
        busy: its processes.
        floor: requests per second of this client against a server that does nothing.
        has_line: whether requests wait in the engine's own line, and are tried again, before they
            are sent: then that is measured, and says nothing of the load tester.
    """
    found = [each.found for each in busy.values()]
    delay_s = _delay_p99_s(whole)
    reasons = [*_on_unsent(whole, delay_s), *_on_cpu(busy)]
    if not has_line:
        reasons += _on_delay(whole, delay_s)
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
        start_delay_p99_s=min(delay_s, whole.spans.histograms["start_delay"].most / NS),
        busiest=max((each.most_whole for each in found), default=0.0) or overall,
        timing_error_s=value_at(lags, nearest_rank(len(lags), _SHARE)) if len(lags) else 0.0,
        floor=floor,
        cpu_s_per_request=used_ns / NS / requests if requests else 0.0,
    )


def _delay_p99_s(whole: Cell) -> float:
    """Of all that were to be sent; who never was is later than all others."""
    delays = whole.spans.histograms["start_delay"]
    total = len(delays) + whole.errors["unsent"]
    return value_at(delays, nearest_rank(total, _SHARE)) if total else 0.0


def _on_unsent(whole: Cell, delay_s: float) -> Iterator[tuple[Validity, str]]:
    if unsent := whole.errors["unsent"]:
        verdict: Validity = "INVALID" if math.isinf(delay_s) else "DEGRADED"
        yield verdict, f"{unsent:,} of {show_count(whole.scheduled, 'request')} were never sent"


def _on_delay(whole: Cell, delay_s: float) -> Iterator[tuple[Validity, str]]:
    ttft = whole.spans.histograms["ttft_service"]
    median_s = value_at(ttft, nearest_rank(len(ttft), 0.5)) if len(ttft) else 0.0
    limit_s = max(DELAY_MAX_S, DELAY_MAX_OF_TTFT * median_s)
    if limit_s / 2 < delay_s < math.inf:
        told = f"p99 of the start delay is {show_s(delay_s)}, and {show_s(limit_s)} is the limit"
        yield "INVALID" if delay_s > limit_s else "DEGRADED", told


def _on_cpu(busy: Mapping[int, Busy]) -> Iterator[tuple[Validity, str]]:
    for process, each in sorted(busy.items()):
        found, told = each.found, f"process {process} was above {CPU_MAX:.0%} of a core for"
        if found.most_whole > CPU_MAX:
            yield "INVALID", f"{told} more than {BUSY_S:g} s"
        elif found.most_half > CPU_MAX:
            yield "DEGRADED", f"{told} more than {BUSY_S / 2:g} s"
