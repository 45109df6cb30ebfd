"""A job's figures at one moment, as they are shown, stored and printed as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from triollama_adapters.batch.figures.eta import TimeLeft
from triollama_adapters.histogram import Histogram, needed_for

__all__ = [
    "NO_SPREAD",
    "Failure",
    "Lane",
    "Lately",
    "Snapshot",
    "Spread",
    "State",
    "failures_of",
    "spread_of",
]

State = Literal["running", "complete", "interrupted", "aborted", "died"]
"""``complete``: every row has an outcome. ``interrupted`` and ``aborted`` (``reason`` says by what)
were ended early; ``died`` is one that had no time to say so. All three can be resumed."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint in this run.

    Attributes:
        endpoint: its name.
        health: in a word or two; empty if unknown.
        in_flight: requests that are there now.
        slots: how many it works on at once, given or learnt; None if unknown.
        rows: that it answered in this run.
        tokens: of those answers.
        tokens_per_s: lately; None as long as that says nothing.
    """

    endpoint: str
    health: str = ""
    in_flight: int = 0
    slots: int | None = None
    rows: int = 0
    tokens: int = 0
    tokens_per_s: float | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of failure.

    Attributes:
        kind: its name.
        rows: that failed so, in all runs.
        message: what the first of them said; empty if that is not known.
    """

    kind: str
    rows: int
    message: str = ""


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """What failed lately.

    Attributes:
        at_s: when the last of them did, in seconds since 1970.
        kind: the kind of failure.
        message: what happened.
        rows: how many in a row said the same.
    """

    at_s: float
    kind: str
    message: str
    rows: int = 1


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles, by nearest rank; each None while there are too few values for it.

    Attributes:
        count: how many values there were.
        p50: the median.
        p90: the 90th percentile.
        p99: the 99th.
    """

    count: int = 0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


NO_SPREAD: Final = Spread()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All figures. Those without another word are of the whole job, earlier runs included.

    Attributes:
        at_s: when this was so, in seconds since 1970.
        begun_s: when this run began, in seconds since 1970.
        ran_s: how long this run has taken.
        state: see `State`.
        reason: why it was ended early; empty if it was not.
        waiting: what nothing is begun for just now; empty if rows are asked.
        done: rows that were answered.
        failed: rows that failed for good.
        running: rows that are asked now.
        held: rows that were begun and wait: for a server, or between two tries.
        cut_off: rows that were begun and had no outcome when the run was ended; they are asked
            again.
        left: rows without an outcome; None if unknown.
        rows: of the input, those that no filter left out; None if unknown.
        is_rows_known: whether they are counted, not estimated from the bytes.
        rows_per_s: lately; None as long as that says nothing, and while nobody answers.
        rows_per_s_overall: in this run.
        tokens_per_s: of answers, lately.
        tokens_per_s_overall: in this run.
        left_s: how long the rest takes; None if unknown.
        input_tokens: of all answers that came, those that do not count included.
        output_tokens: of the same.
        cost: of these tokens; None without prices.
        failures: by kind, the most frequent first.
        lately: the last failures of this run, the oldest first.
        lanes: the endpoints of this run.
        embedded: rows answered in this run with embeddings, which do not tell by whom.
        earlier: rows that were answered before this run.
        queued_ms: from a request's making until it was sent.
        first_token_ms: from there to its first token.
        latency_ms: from there to its end.
        tokens: of each row, all of its votes together; of embeddings nothing is counted.
    """

    at_s: float
    begun_s: float
    ran_s: float
    state: State = "running"
    reason: str = ""
    waiting: str = ""
    done: int = 0
    failed: int = 0
    running: int = 0
    held: int = 0
    cut_off: int = 0
    left: int | None = None
    rows: int | None = None
    is_rows_known: bool = False
    rows_per_s: float | None = None
    rows_per_s_overall: float | None = None
    tokens_per_s: float | None = None
    tokens_per_s_overall: float | None = None
    left_s: TimeLeft | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    failures: tuple[Failure, ...] = ()
    lately: tuple[Lately, ...] = ()
    lanes: tuple[Lane, ...] = ()
    embedded: int = 0
    earlier: int = 0
    queued_ms: Spread = NO_SPREAD
    first_token_ms: Spread = NO_SPREAD
    latency_ms: Spread = NO_SPREAD
    tokens: Spread = NO_SPREAD

    @property
    def settled(self) -> int:
        """Rows that have an outcome."""
        return self.done + self.failed


def failures_of(errors: Mapping[str, int], messages: Mapping[str, str]) -> tuple[Failure, ...]:
    """The kinds of failure, the most frequent first.

    Args:
        errors: how many rows failed with each kind.
        messages: what the first of each kind said, where that is known.
    """
    by_count = sorted(errors.items(), key=lambda each: (-each[1], each[0]))
    return tuple(
        Failure(kind=kind, rows=rows, message=messages.get(kind, "")) for kind, rows in by_count
    )


def spread_of(histogram: Histogram, unit: float = 1.0) -> Spread:
    """The percentiles of what was counted.

    Args:
        histogram: the counts.
        unit: how many of what was counted make one of what is told.
    """

    def percentile(share: float) -> float | None:
        if len(histogram) < needed_for(share):
            return None
        value = histogram.percentile(share)
        return None if value is None else round(value / unit, 3)

    return Spread(
        count=len(histogram), p50=percentile(0.5), p90=percentile(0.9), p99=percentile(0.99)
    )
