"""What readers saw of a fault: whose streams went on, how long they waited, when it was over. Pure.

Samples come one by one and are not kept, but for those that a fault struck: as many as were in
flight then. A fault is held to have come at the moment that the plan gives it, so what a user's
command needs until it acts counts as part of the fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from statistics import median, median_low
from typing import Final

import msgspec

from triollama_adapters.histogram import Histogram
from triollama_adapters.loadtest.result import Event, Moment
from triollama_adapters.loadtest.running.faults import Fault
from triollama_adapters.loadtest.sample import FAULTS, Sample

__all__ = ["NEAR", "FaultSeen", "Readers", "recovery", "told"]

NEAR: Final = 1.10
"""Within 10 % of before is as before."""

HOLD: Final = 3
"""Moments with requests that have to be as before: a p95 of one second is of few requests."""

AT_ONCE: Final = 2
"""Moments at the fault whose own p95 is enough: later on, a single bad one is chance."""

ONSET_S: Final = 10.0
"""How long a fault may take to be felt: a line has to grow where a server is missing."""

_NS: Final = 1e9


class FaultSeen(msgspec.Struct, frozen=True):
    """One fault, as its readers saw it.

    Attributes:
        fault: what was asked for.
        struck: requests that were in flight at the endpoint when it came.
        continued: of them, those that broke, went on elsewhere, and were answered in full.
        unbroken: of them, those that were answered in full without a break.
        failed: of them, the others by outcome.
        added_p50_s: how much longer than usual the struck readers that were answered waited at
            their longest wait: for the first token, if it had not come yet, else between two
            chunks. The median; None if there are none, or nothing to compare with.
        added_max_s: the greatest of them.
        errors: requests sent after the fault, to any endpoint, that failed.
        recovered_s: how long after the fault TTFT p95 was as before, see `recovery`; None if it was
            not before the run ended, or if there was no before.
        before_p95_s: TTFT p95 before it.
        worst_p95_s: the greatest TTFT p95 of a moment after it.
    """

    fault: Fault
    struck: int
    continued: int
    unbroken: int
    failed: dict[str, int]
    added_p50_s: float | None
    added_max_s: float | None
    errors: int
    recovered_s: float | None
    before_p95_s: float | None
    worst_p95_s: float | None


class _Readers:
    """Those of one fault."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._at_ns = round(fault.at_s * _NS)
        self._usual_first = Histogram()
        self._usual_gap = Histogram()
        self._added_first: list[int] = []
        self._added_gap: list[int] = []
        self._ended: Counter[str] = Counter()
        self._errors = 0

    def add(self, sample: Sample) -> None:
        if not sample.sent_ns:
            self._errors += sample.outcome in FAULTS and sample.scheduled_ns > self._at_ns
        elif sample.ended_ns <= self._at_ns:
            if sample.outcome == "ok":
                self._usual_first.record(sample.first_ns - sample.sent_ns)
                self._usual_gap.record(sample.gap_max_ns)
        elif _began_ns(sample) > self._at_ns:
            self._errors += sample.outcome in FAULTS
        elif sample.endpoint == self._fault.endpoint or sample.continued:
            self._add_struck(sample)

    def _add_struck(self, sample: Sample) -> None:
        is_ok = sample.outcome == "ok"
        self._ended[
            ("continued" if sample.continued else "unbroken") if is_ok else sample.outcome
        ] += 1
        if is_ok and sample.first_ns > self._at_ns:
            self._added_first.append(sample.first_ns - sample.sent_ns)
        elif is_ok:
            self._added_gap.append(sample.gap_max_ns)

    def conclude(self, moments: Sequence[Moment]) -> FaultSeen:
        added = self._added()
        ended = dict(self._ended)
        at_s = self._fault.at_s
        after = [each.ttft_p95_s for each in moments if each.at_s >= at_s]
        return FaultSeen(
            fault=self._fault,
            struck=sum(ended.values()),
            continued=ended.pop("continued", 0),
            unbroken=ended.pop("unbroken", 0),
            failed=ended,
            added_p50_s=median(added) if added else None,
            added_max_s=max(added, default=None),
            errors=self._errors,
            recovered_s=recovery(moments, at_s),
            before_p95_s=_before(moments, at_s),
            worst_p95_s=max((each for each in after if each is not None), default=None),
        )

    def _added(self) -> list[float]:
        """Seconds beyond the usual median, at least none, of each struck reader with an answer."""
        found: list[float] = []
        pairs = ((self._added_first, self._usual_first), (self._added_gap, self._usual_gap))
        for waits, usual in pairs:
            middle = usual.percentile(0.5)
            if middle is not None:
                found += [max(0, wait - middle) / _NS for wait in waits]
        return found


def _began_ns(sample: Sample) -> int:
    """When it was sent first: of a stream that went on elsewhere, `sent_ns` is the last time."""
    return min(sample.sent_ns, sample.first_ns or sample.sent_ns)


class Readers:
    """The readers of a run with faults; a `SampleSink`.

    Args:
        faults: with the names of endpoints that samples have.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._readers = [_Readers(fault) for fault in faults]

    def add(self, sample: Sample) -> None:
        """Take a request that is over."""
        for each in self._readers:
            each.add(sample)

    def conclude(self, moments: Sequence[Moment]) -> tuple[FaultSeen, ...]:
        """What was seen of each fault, in their order.

        Args:
            moments: of the run's result.
        """
        return tuple(each.conclude(moments) for each in self._readers)


def _before(moments: Sequence[Moment], at_s: float) -> float | None:
    """TTFT p95 before a fault: the median over the moments that had ended by then."""
    known = [
        each.ttft_p95_s
        for each, end_s in _with_ends(moments)
        if each.ttft_p95_s is not None and end_s <= at_s
    ]
    return median(known) if known else None


def recovery(moments: Sequence[Moment], at_s: float) -> float | None:
    """How long after a fault requests were served as before.

    A moment is as before if its TTFT p95, and the median of it and of the next two with requests,
    are at most 10 % above `_before`. The effect begins within `ONSET_S`, with the first moment of
    which the median is not, or with one of the first two, whose own p95 is enough; it is over with
    the first moment after that which is as before. Requests count by when they were due, so one
    that waited out the whole fault counts at its beginning.

    Args:
        moments: of the run, in order.
        at_s: when the fault came.

    Returns:
        Seconds, to the beginning of the moment; 0 if there was no effect. None if there is nothing
        before to compare with, or it never was as before.
    """
    before = _before(moments, at_s)
    if before is None:
        return None
    limit = before * NEAR
    after = [
        (max(0.0, each.at_s - at_s), each.ttft_p95_s)
        for each, end_s in _with_ends(moments)
        if each.ttft_p95_s is not None and end_s > at_s
    ]
    held = [median_low(p95_s for _, p95_s in after[at : at + HOLD]) for at in range(len(after))]
    has_begun = False
    for number, ((since_s, p95_s), middle) in enumerate(zip(after, held, strict=True)):
        is_felt = middle > limit or (p95_s > limit and number < AT_ONCE)
        has_begun = has_begun or (is_felt and since_s <= ONSET_S)
        if has_begun and p95_s <= limit and middle <= limit:
            return since_s
    return None if has_begun else 0.0


def _with_ends(moments: Sequence[Moment]) -> Iterator[tuple[Moment, float]]:
    """Moments and when they end; the last one, never."""
    return zip(moments, [*(later.at_s for later in moments[1:]), inf], strict=False)


def told(seen: FaultSeen) -> Event:
    """What was seen, as an event of the result."""
    parts = [f"{seen.struck} in flight", f"{seen.continued} went on elsewhere"]
    parts += [f"{seen.unbroken} were not broken"] if seen.unbroken else []
    parts += [f"{count} {outcome}" for outcome, count in sorted(seen.failed.items())]
    if seen.added_p50_s is not None and seen.added_max_s is not None:
        parts.append(
            f"{seen.added_p50_s:.3f} s longer than usual, {seen.added_max_s:.3f} s at most"
        )
    if seen.errors:
        parts.append(f"{seen.errors} failed later")
    if seen.recovered_s == 0:
        parts.append("TTFT p95 stayed as before")
    elif seen.recovered_s is not None:
        parts.append(f"TTFT p95 as before after {seen.recovered_s:.1f} s")
    elif seen.before_p95_s is not None:
        parts.append("TTFT p95 was not as before again")
    return Event(seen.fault.at_s, "readers", seen.fault.endpoint, "; ".join(parts))
