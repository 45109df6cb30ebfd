"""The durations of one request, exact to the nanosecond: each figure of the metrics' page. No IO.

A figure that a request does not have is `NONE`: it got no first token, or no answer at all.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from triollama_adapters.loadtest.sample import Sample

__all__ = [
    "NONE",
    "PARTS",
    "SPANS",
    "Parts",
    "Spans",
    "client_parts_of",
    "is_agreed",
    "parts_of",
    "spans_of",
]

NONE: Final = -1

SPANS: Final = (
    "ttft",
    "ttft_service",
    "ttfo",
    "ttfo_response",
    "tpot",
    "server_tpot",
    "icl_max",
    "e2e",
    "e2e_service",
    "start_delay",
    "lag",
)
"""What `spans_of` gives, in its order."""

PARTS: Final = (
    "start_delay",
    "engine_line",
    "transport",
    "load",
    "residual",
    "prefill",
    "decode",
)
"""What `parts_of` gives, in its order; the sum is the response E2E."""

Spans: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int]
Parts: TypeAlias = tuple[int, int, int, int, int, int, int]


def spans_of(sample: Sample) -> Spans:
    """Each of `SPANS` in nanoseconds.

    What a request saw before it failed counts: its TTFT, its pauses. TPOT and E2E are those of
    whole answers only. An answer that broke after its first token, and went on elsewhere, has no
    time from sending to that token: its last sending came later.
    """
    sent, due, begun = sample.sent_ns, sample.scheduled_ns, sample.begun_ns
    delay = begun - due if begun else NONE
    if not sent:
        return NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, delay, sample.lag_ns
    first, shown = sample.first_ns, sample.shown_ns
    tpot = server_tpot = e2e = e2e_service = NONE
    if sample.outcome == "ok":
        done = sample.done_ns
        e2e, e2e_service = done - due, done - sent
        tokens = sample.output_tokens - sample.first_tokens
        streamed = sample.last_ns - first
        if tokens > 0 and streamed > 0:
            tpot = (2 * streamed + tokens) // (2 * tokens)
        if sample.is_timed and sample.output_tokens and sample.decode_ns:
            server_tpot = sample.decode_ns // sample.output_tokens
    return (
        first - due if first else NONE,
        first - sent if first >= sent else NONE,
        shown - sent if shown >= sent else NONE,
        shown - due if shown else NONE,
        tpot,
        server_tpot,
        sample.gap_max_ns if sample.chunks > 1 else NONE,
        e2e,
        e2e_service,
        delay,
        sample.lag_ns,
    )


def parts_of(sample: Sample) -> Parts:
    """Each of `PARTS` in nanoseconds, of a whole answer whose server told its times.

    The residual is what becomes overhead and the wait for a slot, once ``R0`` is known. Transport
    and residual are negative where the server's times contradict the client's or each other.
    """
    total = sample.total_ns
    load, prefill, decode = sample.load_ns, sample.prefill_ns, sample.decode_ns
    begun = sample.begun_ns
    return (
        begun - sample.scheduled_ns,
        sample.sent_ns - begun,
        sample.done_ns - sample.sent_ns - total,
        load,
        total - load - prefill - decode,
        prefill,
        decode,
    )


def client_parts_of(sample: Sample) -> tuple[int, int, int, int]:
    """Each of `result.CLIENT_TERMS` in nanoseconds, of a whole answer whose server told nothing."""
    first = sample.first_ns or sample.done_ns
    begun, sent = sample.begun_ns, sample.sent_ns
    return begun - sample.scheduled_ns, sent - begun, first - sent, sample.done_ns - first


def is_agreed(sample: Sample, rtt_ns: int) -> bool:
    """Whether a second estimate of the residual agrees with that of `parts_of`, by 10 % of E2E.

    It takes the client's first chunk for the end of prefill; the tokens in it may be decoded yet,
    as servers differ in that. ``R0`` is in both and cancels out. An answer that broke and went on
    elsewhere has no second estimate: its first chunk is another server's.

    Args:
        sample: a whole answer whose server told its times.
        rtt_ns: what a request takes on the way.
    """
    if not sample.first_ns or sample.continued:
        return True
    second = sample.first_ns - sample.sent_ns - rtt_ns - sample.load_ns - sample.prefill_ns
    residual = sample.total_ns - sample.load_ns - sample.prefill_ns - sample.decode_ns
    tokens = sample.output_tokens
    first = tokens if sample.chunks == 1 else min(sample.first_tokens, tokens)
    most = (sample.done_ns - sample.scheduled_ns) / 10
    return -most <= second - residual <= most + sample.decode_ns * first / max(1, tokens)
