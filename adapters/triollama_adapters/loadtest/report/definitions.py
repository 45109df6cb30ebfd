"""What each figure means, in a sentence or two; reports print it beside the figure. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

__all__ = ["ERRORS", "FIGURES", "METERS", "TERMS", "Figure", "in_order", "name_figure"]


@attrs.frozen
class Figure:
    """A figure's name and what it means.

    Attributes:
        short: for a chart or a column.
        title: for a heading.
        meaning: the definition, as text.
    """

    short: str
    title: str
    meaning: str


METERS: Final[dict[str, Figure]] = {
    "ttft": Figure(
        "TTFT",
        "Time to first token",
        "From the moment a request was due to the first piece of thinking, text or tool call. It "
        "counts from when it was due, not from when it was sent, so that no queue can hide.",
    ),
    "ttft_service": Figure(
        "TTFT, service",
        "Time to first token, from sending",
        "The same, but from the moment the request was sent: what the server alone took.",
    ),
    "ttfo": Figure(
        "TTFO",
        "Time to first output",
        "From sending to the first text or tool call that a user sees; thinking does not count.",
    ),
    "tpot": Figure(
        "TPOT",
        "Time per output token",
        "From an answer's first piece to its last, divided by the tokens after the first piece; "
        "one value per request, and the wait for the first token is not in it.",
    ),
    "server_tpot": Figure(
        "TPOT, server's",
        "Time per output token, as the server tells it",
        "The server's own decoding time divided by its own count of tokens; a check of TPOT.",
    ),
    "icl": Figure(
        "ICL",
        "Inter-chunk latency",
        "The time between two pieces of an answer, over all pieces of all answers. A piece may "
        "hold several tokens, so this is not a time between tokens.",
    ),
    "icl_max": Figure(
        "ICL, longest",
        "Longest pause of each answer",
        "The longest time between two pieces, one value per request: what a reader sees as a "
        "hitch.",
    ),
    "e2e": Figure(
        "E2E",
        "End to end",
        "From the moment a request was due to the end of its answer.",
    ),
    "e2e_service": Figure(
        "E2E, service",
        "End to end, from sending",
        "From sending a request to the end of its answer.",
    ),
    "start_delay": Figure(
        "Start delay",
        "Start delay",
        "How long after it was due a request was sent, or handed to triollama's own pool, whose "
        "line is not in it: whether the client kept up.",
    ),
}
"""By the names of `result.METRICS`."""

TERMS: Final[dict[str, Figure]] = {
    "start_delay": Figure("start delay", "Start delay", "Due, but not sent yet: the client's."),
    "engine_line": Figure(
        "the line of triollama's own pool",
        "The pool's line",
        "Held by triollama's own pool until its last attempt was sent: the wait for an endpoint, "
        "and attempts that failed. Not the client's.",
    ),
    "transport": Figure(
        "transport",
        "Transport",
        "Network, proxies and the client's reading: the time of the request here, less the "
        "server's own total.",
    ),
    "load": Figure("load", "Model load", "Loading the model, and waiting for that load."),
    "slot_wait": Figure(
        "slot wait",
        "Wait for a slot",
        "In the server's queue until one of its slots was free: what is left of the server's "
        "total after load, prefill, decode and overhead.",
    ),
    "overhead": Figure(
        "overhead",
        "Overhead",
        "What a request takes the server beside its own terms when it is alone there.",
    ),
    "prefill": Figure("prefill", "Prefill", "Reading the prompt; little where it was cached."),
    "decode": Figure("decode", "Decode", "Writing the answer."),
    "until_first": Figure(
        "until the first token",
        "Until the first token",
        "From sending to the first piece: all that the server did before, which it does not tell.",
    ),
    "after_first": Figure(
        "after the first token",
        "After the first token",
        "From the first piece to the end of the answer.",
    ),
}
"""By the names of `result.TERMS` and `result.CLIENT_TERMS`. Those of one ledger add up to the
response E2E."""

FIGURES: Final[dict[str, Figure]] = {
    "completed": Figure(
        "requests/s", "Requests per second", "Answers that ended well in the window, by its length."
    ),
    "offered": Figure("offered", "Offered", "Requests that were due in the window, by its length."),
    "sent": Figure("sent", "Sent", "Requests that were sent in the window, by its length."),
    "output_tokens": Figure(
        "output tokens/s",
        "Output tokens per second",
        "Tokens received in the window, by its length.",
    ),
    "prompt_tokens": Figure(
        "prompt tokens/s",
        "Prompt tokens per second",
        "Of the requests completed in the window, by its length.",
    ),
    "uncached_prompt_tokens": Figure(
        "uncached prompt tokens/s",
        "Uncached prompt tokens per second",
        "Those of them that the server had to read, because its cache did not have them.",
    ),
    "goodput": Figure(
        "goodput",
        "Goodput",
        "Requests due in the window that were answered in full and met every objective, per "
        "second.",
    ),
    "attainment": Figure(
        "attainment",
        "Attainment",
        "Requests that met every objective, of all that were due: one that failed, was refused or "
        "was never sent is not good. The interval is Wilson's, 95 %.",
    ),
    "errors": Figure(
        "errors",
        "Failed",
        "Requests that failed, of all that were due; a 200 that ends in an error object has "
        "failed.",
    ),
    "censored": Figure(
        "cut off",
        "Cut off",
        "Still under way when the drain ended. They are in no percentile, which looks better for "
        "it.",
    ),
    "percentile": Figure(
        "percentile",
        "Percentiles",
        "By nearest rank, each with the 95 % interval of its order statistics. One whose interval "
        "has no upper end, for want of requests, is withheld: p99 needs 368 of them.",
    ),
    "window": Figure(
        "window",
        "Window",
        "From the end of the warm-up to the end of the schedule. Only requests due within it "
        "count; charts show the warm-up and the drain as well, shaded.",
    ),
    "ledger_client": Figure(
        "ledger",
        "Where the time goes",
        "The terms add up to the time from due to done. The server did not tell its times, so they "
        "are what the client saw: how long a request waited for a slot is not known.",
    ),
    "ledger": Figure(
        "ledger",
        "Where the time goes",
        "The terms add up to the time from due to done. They come from the server's own timings; "
        "the wait for a slot is what these leave over.",
    ),
    "verdict": Figure(
        "verdict",
        "Was the client the bottleneck?",
        "INVALID when p99 start delay is above 10 ms or 5 % of the median TTFT, whichever is "
        "more, or a process of the client was above 90 % of a core for more than 5 s; DEGRADED at "
        "half of either. Of fewer than 100 requests the second latest is judged, and one that is "
        "late alone is DEGRADED. The line of triollama's own pool is left out.",
    ),
    "timing_error": Figure(
        "timing error",
        "Timing error",
        "The longest pause of the client's event loop that a request overlapped, p99: no time "
        "here is wrong by more, but for one in a hundred.",
    ),
    "knee": Figure(
        "knee",
        "Knee",
        "Where the curve bends: more load brings little more throughput, but much more latency.",
    ),
    "heat": Figure(
        "heat",
        "TTFT of all requests over time",
        "Each column is a stretch of the run, each row a range of TTFT; the stronger the colour, "
        "the more requests.",
    ),
}

ERRORS: Final[dict[str, str]] = {
    "connect": "no connection",
    "tls": "TLS failed",
    "first_token_timeout": "no first token in time",
    "stall": "stalled between two chunks",
    "total_timeout": "took longer than allowed",
    "http_429": "429: too many requests",
    "queue_503": "503: the queue is full",
    "http_5xx": "5xx from the server",
    "http_4xx": "4xx from the server",
    "error_in_stream": "error object within the answer",
    "truncated": "ended without its last object",
    "lost": "connection lost",
    "unsent": "never sent: the client was at its limit",
    "client": "fault of the client",
}
"""In words, by the classes of `sample.Outcome` that are errors."""


def in_order(terms: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The terms that a ledger has, in the order of a request's life, with their figures."""
    yield from ((name, terms[name]) for name in TERMS if name in terms)


def name_figure(name: str) -> str:
    """A figure of a comparison as people call it: ``TTFT p95`` for ``ttft_p95``."""
    metric, _, part = name.rpartition("_")
    if metric in METERS:
        return f"{METERS[metric].short} {part}"
    return FIGURES[name].short if name in FIGURES else name.replace("_", " ")
