"""How far a run is, for whoever watches it."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

import msgspec

from triollama_adapters.loadtest.sample import Sample

__all__ = ["Progress", "SampleSink", "Stage"]

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
