"""How far a run is, for whoever watches it."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.sample import FAULTS, Sample

__all__ = ["Meter", "Progress", "SampleSink", "Stage", "stage_at"]

RECENT_S: Final = 5
"""What is recent: whole seconds."""

KEPT_PER_S: Final = 200
"""Values of each second that recent percentiles are taken from."""

_NS: Final = 1_000_000_000

LOOK_NS: Final = 100_000_000
"""Between two moments of which it is kept how many were sent: `RECENT_S` holds 50 at most."""

Stage: TypeAlias = Literal["before", "warm-up", "measuring", "drain", "over"]


class SampleSink(Protocol):
    """Takes every sample, those of the warm-up too, in the order in which they ended."""

    def add(self, sample: Sample) -> None:
        """Take one. Called within the event loop: it must not wait."""


class Progress(msgspec.Struct, frozen=True):
    """A run at one moment; of many processes together, if `merged`.

    Attributes:
        at_s: how far the run is, in seconds; negative before its beginning.
        stage: which part of it.
        until_s: when this stage ends, by the plan.
        scheduled: requests due so far, those of the warm-up included. So all counts.
        sent: requests sent.
        ok: answered in full.
        failed: that failed; see `sample.FAULTS`.
        others: cancelled as planned, or censored.
        errors: those that failed, by class.
        in_flight: under way, by endpoint.
        tokens: output tokens of the answers that are whole.
        sent_per_s: over the last seconds.
        ok_per_s: the same.
        tokens_per_s: the same.
        ttft_p50_s: response TTFT of the requests that ended in the last seconds; None without any.
        ttft_p95_s: the same.
        e2e_p95_s: the same.
        start_delay_p99_s: how late requests were sent, in the last seconds.
        lag_s: the largest lag of the event loop in the last seconds.
        cpu: share of a core that this process used in the last seconds; of several the greatest.
    """

    at_s: float
    stage: Stage
    until_s: float
    scheduled: int = 0
    sent: int = 0
    ok: int = 0
    failed: int = 0
    others: int = 0
    errors: dict[str, int] = {}
    in_flight: dict[str, int] = {}
    tokens: int = 0
    sent_per_s: float = 0.0
    ok_per_s: float = 0.0
    tokens_per_s: float = 0.0
    ttft_p50_s: float | None = None
    ttft_p95_s: float | None = None
    e2e_p95_s: float | None = None
    start_delay_p99_s: float | None = None
    lag_s: float = 0.0
    cpu: float = 0.0


def stage_at(plan: Plan, at_s: float) -> tuple[Stage, float]:
    """Which part of a run a moment belongs to, and when that ends.

    Args:
        plan: of the run.
        at_s: from its beginning on.
    """
    window_s = plan.warm_up_s + plan.duration_s
    if at_s < 0.0:
        return "before", 0.0
    if at_s < plan.warm_up_s:
        return "warm-up", plan.warm_up_s
    if at_s < window_s:
        return "measuring", window_s
    return "drain", window_s + plan.drain_s


class _Second:
    """What ended within one second; and a part of the values."""

    __slots__ = ("delays", "e2e", "number", "ok", "tokens", "ttft")

    def __init__(self, number: int) -> None:
        self.number = number
        self.ok = self.tokens = 0
        self.ttft: list[int] = []
        self.e2e: list[int] = []
        self.delays: list[int] = []


class Meter:
    """Counts what a `Progress` tells; memory does not grow.

    Args:
        plan: of the run.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seconds: deque[_Second] = deque(maxlen=RECENT_S + 1)
        self._scheduled = self._ok = self._others = self._tokens = 0
        self._sent_by: deque[tuple[int, int]] = deque([(0, 0)])
        self._errors: Counter[str] = Counter()
        self._cpu_ns, self._cpu_at_ns = time.process_time_ns(), time.perf_counter_ns()

    def schedule(self) -> None:
        """A request was due."""
        self._scheduled += 1

    def add(self, sample: Sample, now_ns: int) -> None:
        """A request is over.

        Args:
            sample: of it.
            now_ns: the time of the run.
        """
        second = self._second(now_ns // _NS)
        if sample.begun_ns:
            _keep(second.delays, sample.begun_ns - sample.scheduled_ns)
        if sample.outcome == "ok":
            self._ok += 1
            self._tokens += sample.output_tokens
            second.ok += 1
            second.tokens += sample.output_tokens
            if sample.first_ns:
                _keep(second.ttft, sample.first_ns - sample.scheduled_ns)
            _keep(second.e2e, sample.done_ns - sample.scheduled_ns)
        elif sample.outcome in FAULTS:
            self._errors[sample.outcome] += 1
        else:
            self._others += 1

    def progress(
        self,
        at_ns: int,
        *,
        sent: int,
        in_flight: dict[str, int],
        lag_ns: int,
        is_over: bool = False,
    ) -> Progress:
        """How far the run is.

        Args:
            at_ns: the time of the run.
            sent: requests sent so far, see `Asker.sent`.
            in_flight: requests under way, by endpoint.
            lag_ns: see `Progress.lag_s`.
            is_over: whether the drain is.
        """
        stage, until_s = stage_at(self._plan, at_ns / _NS)
        now = at_ns // _NS
        recent = [each for each in self._seconds if now - RECENT_S <= each.number < now]
        span_s = min(max(now, 1), RECENT_S)
        sent, sent_per_s = self._take_sent(at_ns, sent)
        return Progress(
            at_ns / _NS,
            "over" if is_over else stage,
            until_s,
            scheduled=self._scheduled,
            sent=sent,
            ok=self._ok,
            failed=self._errors.total(),
            others=self._others,
            errors=dict(self._errors),
            in_flight=in_flight,
            tokens=self._tokens,
            sent_per_s=sent_per_s,
            ok_per_s=sum(each.ok for each in recent) / span_s,
            tokens_per_s=sum(each.tokens for each in recent) / span_s,
            ttft_p50_s=_percentile([each.ttft for each in recent], 0.5),
            ttft_p95_s=_percentile([each.ttft for each in recent], 0.95),
            e2e_p95_s=_percentile([each.e2e for each in recent], 0.95),
            start_delay_p99_s=_percentile([each.delays for each in recent], 0.99),
            lag_s=lag_ns / _NS,
            cpu=self._cpu(),
        )

    def _take_sent(self, at_ns: int, sent: int) -> tuple[int, float]:
        """How many were sent so far, which never goes back, and how many a second lately."""
        looks = self._sent_by
        sent = max(sent, looks[-1][1])
        while len(looks) > 1 and looks[1][0] <= at_ns - RECENT_S * _NS:
            looks.popleft()
        since_ns, before = looks[0]
        if at_ns - looks[-1][0] >= LOOK_NS:
            looks.append((at_ns, sent))
        return sent, (sent - before) * _NS / max(at_ns - since_ns, _NS)

    def _second(self, number: int) -> _Second:
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]

    def _cpu(self) -> float:
        """Share of a core since the last call."""
        cpu_ns, at_ns = time.process_time_ns(), time.perf_counter_ns()
        used, passed = cpu_ns - self._cpu_ns, at_ns - self._cpu_at_ns
        self._cpu_ns, self._cpu_at_ns = cpu_ns, at_ns
        return used / passed if passed > 0 else 0.0


def _keep(values: list[int], value: int) -> None:
    if len(values) < KEPT_PER_S:
        values.append(value)


def _percentile(groups: Sequence[list[int]], share: float) -> float | None:
    """By nearest rank, in seconds; None without values."""
    values = sorted(value for group in groups for value in group)
    return values[max(0, math.ceil(share * len(values)) - 1)] / _NS if values else None
