"""What each figure means, in a sentence or two; reports print it beside the figure. No IO."""

from __future__ import annotations

from typing import Final

from triollama_adapters.histogram import needed_for
from triollama_adapters.loadtest.measures.busy import BUSY_S
from triollama_adapters.loadtest.measures.differences import FALSE_MOST, MATTERS, MATTERS_POINTS
from triollama_adapters.loadtest.measures.pairs import PAIRS_MIN
from triollama_adapters.loadtest.measures.verdict import (
    CPU_MAX,
    DELAY_MAX_OF_TTFT,
    DELAY_MAX_S,
    FEW,
)
from triollama_adapters.loadtest.report.meters import METERS, TERMS, Figure, in_order
from triollama_adapters.loadtest.report.units import show_number, show_s, show_share

__all__ = ["ERRORS", "FIGURES", "METERS", "TERMS", "Figure", "in_order", "name_figure"]


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
        f"has no upper end, for want of requests, is withheld: p99 needs {needed_for(0.99)} of "
        "them.",
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
        f"INVALID when p99 start delay is above {show_s(DELAY_MAX_S)} or "
        f"{show_share(DELAY_MAX_OF_TTFT)} of the median TTFT, whichever is more, or a process of "
        f"the client was above {show_share(CPU_MAX)} of a core for more than {show_s(BUSY_S)}; "
        "DEGRADED at half of either. "
        f"Of fewer than {FEW} requests the second latest is judged, and one that is late alone is "
        "DEGRADED. The line of triollama's own pool is left out.",
    ),
    "timing_error": Figure(
        "timing error",
        "Timing error",
        "The longest pause of the client's event loop that a request overlapped, p99: no time "
        "here is wrong by more, but for one in a hundred.",
    ),
    "differences": Figure(
        "difference",
        "What differs",
        "Each change has its own 95 % interval, and a verdict that counts in how many figures were "
        f"looked at (Holm's correction): where nothing changed, {show_share(FALSE_MOST)} of "
        "comparisons at most call any figure better or worse. A change has to matter, too: "
        f"{show_share(MATTERS)} of a time or a rate, {show_number(100 * MATTERS_POINTS)} points of "
        "a share, and a time by more than the client's own timing error. Requests that waited "
        "together count for fewer.",
    ),
    "pairs": Figure(
        "pairs",
        "Pair by pair",
        f"With {PAIRS_MIN} pairs or more, a change is its mean over the pairs, and the interval "
        "comes from how much the pairs differ: what hits both windows of a pair is no difference.",
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


def name_figure(name: str) -> str:
    """A figure of a comparison as people call it: ``TTFT p95`` for ``ttft_p95``."""
    metric, _, part = name.rpartition("_")
    if metric in METERS:
        return f"{METERS[metric].short} {part}"
    return FIGURES[name].short if name in FIGURES else name.replace("_", " ")
