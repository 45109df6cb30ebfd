"""What each latency and each term of the ledger means, for `definitions`. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

__all__ = ["METERS", "TERMS", "Figure", "in_order"]


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
        "hold several tokens, so this is not a time between tokens. Its intervals are by "
        "answers, as the pieces of one are alike.",
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


def in_order(terms: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The terms that a ledger has, in the order of a request's life, with their figures."""
    yield from ((name, terms[name]) for name in TERMS if name in terms)
