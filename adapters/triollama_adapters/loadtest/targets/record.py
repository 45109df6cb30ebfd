"""One request while it is under way: who may end it, and at last the sample that it becomes."""

from __future__ import annotations

import time
from typing import Any, Generic, TypeVar

import trio

from triollama import TriollamaError
from triollama.wire.exchange import Exchange
from triollama_adapters.loadtest.sample import Outcome, Sample
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.heard import Heard

__all__ = ["EndedHereError", "Record", "make_sample", "stamp_sample"]


_H = TypeVar("_H", bound=Heard)


class EndedHereError(TriollamaError):
    """What an exchange fails with that was ended on purpose; its record says why."""


class Record(Generic[_H]):
    """One request under way.

    Attributes:
        endpoint: who is asked.
        heard: what came.
        queued_ns: when the engine's pool had it; 0 without one.
        sent_ns: when its first byte was handed to the socket, once it is over.
        exchange: while it is on a connection of ours.
        scope: while anything else is waited for.
        continued: how often the answer broke and went on elsewhere.
        outcome: why it was ended from here; None if it was not.
        detail: the same in words.
    """

    __slots__ = (
        "continued",
        "detail",
        "endpoint",
        "exchange",
        "heard",
        "outcome",
        "queued_ns",
        "scope",
        "sent_ns",
    )

    def __init__(self, endpoint: str, heard: _H) -> None:
        self.endpoint = endpoint
        self.heard = heard
        self.queued_ns = 0
        self.sent_ns = 0
        self.continued = 0
        self.exchange: Exchange | None = None
        self.scope: trio.CancelScope | None = None
        self.outcome: Outcome | None = None
        self.detail = ""

    def end(self, outcome: Outcome, detail: str = "") -> None:
        """End it, with this outcome unless it is over already. Never waits."""
        if self.outcome is None:
            self.outcome, self.detail = outcome, detail
        if self.scope is not None:
            self.scope.cancel()
        if self.exchange is not None:
            self.exchange.fail(EndedHereError())


def make_sample(
    session: Session,
    turn_index: int,
    scheduled_ns: int,
    *,
    record: Record[Any],
    verdict: tuple[Outcome, str],
    clock: RunClock,
) -> Sample:
    """The sample of a request that is over now.

    Args:
        session: whose turn it was.
        turn_index: which one.
        scheduled_ns: when it was due, on the run's clock.
        record: what came of it.
        verdict: how it ended, and that in words.
        clock: of the run.
    """
    sample = Sample(
        session.index,
        turn_index,
        session.scenario,
        session.model,
        record.endpoint,
        outcome=verdict[0],
        detail=verdict[1],
        scheduled_ns=scheduled_ns,
        queued_ns=clock.of(record.queued_ns),
        sent_ns=clock.of(record.sent_ns),
        ended_ns=clock.of(time.perf_counter_ns()),
        continued=record.continued,
        gaps_ns=[],
    )
    stamp_sample(sample, record.heard, clock)
    return sample


def stamp_sample(sample: Sample, heard: Heard, clock: RunClock) -> None:
    """Put into a sample what came, and when."""
    start_ns = clock.start_ns
    stamps = heard.stamps
    if stamps:
        sample.first_ns = stamps[0] - start_ns
        sample.last_ns = stamps[-1] - start_ns
        sample.chunks = len(stamps)
        gaps = sample.gaps_ns = [after - before for before, after in zip(stamps, stamps[1:])]  # noqa: B905, RUF007 - one is shorter; pairwise is slower
        sample.gap_max_ns = max(gaps, default=0)
    sample.shown_ns = clock.of(heard.shown_ns)
    sample.done_ns = clock.of(heard.done_ns)
    sample.prompt_tokens = heard.prompt_tokens
    sample.output_tokens = heard.output_tokens
    if heard.times_ns is not None:
        sample.is_timed = True
        sample.total_ns, sample.load_ns, sample.prefill_ns, sample.decode_ns = heard.times_ns
