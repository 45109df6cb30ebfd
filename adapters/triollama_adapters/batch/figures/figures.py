"""The figures of one job, collected while it runs, and stored so that others see them.

Owns what the journal does not know: when answers came, who gave them, what failures said. The
counts of rows and tokens are the journal's own. No IO, no clock: the time comes as an argument.
Bounds: some KiB of histograms, `LATELY_MAX` errors, a message for `KINDS_MAX` kinds of failure, and
`LANES_MAX` endpoints.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from triollama_adapters.batch.figures.answers import LANES_MAX, Answers
from triollama_adapters.batch.figures.eta import time_left
from triollama_adapters.batch.figures.pace import Pace
from triollama_adapters.batch.figures.prices import FREE, Prices
from triollama_adapters.batch.figures.snapshot import (
    Lane,
    Lately,
    Snapshot,
    State,
    failures_of,
    spread_of,
)
from triollama_adapters.batch.figures.stored import Stored, read_stored
from triollama_adapters.batch.figures.total import (
    UNSEEN,
    Before,
    InputSeen,
    before_of,
    rows_of,
)
from triollama_adapters.batch.ledger.state import BatchState
from triollama_adapters.batch.output.outcomes import between_ns
from triollama_adapters.batch.work.job import Outcome, Progress
from triollama_adapters.histogram import Histogram
from triollama_adapters.words import cut, one_line

__all__ = ["Figures"]

LATELY_MAX: Final = 8
"""More errors than a screen has room for."""

KINDS_MAX: Final = 64
"""There are about thirty kinds of failure."""

MESSAGE_MAX: Final = 300
"""Characters of a message that are kept: it may be a server's own text."""

STILL_S: Final = 3.0
"""Nobody answers, and no row had its outcome for so long: then no rate says anything."""

_BITS: Final = 6
"""Percentiles within 1.6 %: a stored histogram has some hundred buckets."""

_TIMES: Final = ("queued", "first_token", "latency")
_US_PER_MS: Final = 1_000.0
_NS_PER_US: Final = 1_000


class Figures:
    """Collects.

    Args:
        begun_s: when the run begins, in seconds since 1970.
        now_s: the same on the clock of all that follows, in seconds.
        earlier: what an earlier run stored.
        prices: of tokens.
    """

    def __init__(
        self,
        begun_s: float,
        now_s: float,
        *,
        earlier: bytes | None = None,
        prices: Prices = FREE,
    ) -> None:
        self._begun_s = begun_s
        self._began_s = now_s
        self._prices = prices
        self._pace = Pace(now_s)
        self._answers = Answers(now_s)
        self._lately: deque[Lately] = deque(maxlen=LATELY_MAX)
        self._embedded = 0
        self._before: Before | None = None
        self._moved = (0, now_s)
        stored = read_stored(earlier)
        self._messages = dict(stored.messages) if stored is not None else {}
        self._histograms = {name: Histogram(_BITS) for name in (*_TIMES, "tokens")}
        for name, buckets in (stored.buckets if stored is not None else {}).items():
            for edge, count in buckets if name in self._histograms else ():
                self._histograms[name].record(edge, count)

    def take(self, outcomes: Iterable[Outcome], now_s: float) -> list[Lately]:
        """Count some outcomes; those that failed, for who tells of each.

        Args:
            outcomes: that are kept, each once.
            now_s: the time.
        """
        failed = []
        for each in outcomes:
            if each.entry.error_kind is None:
                self._answered(each)
            else:
                failed.append(self._failed(each, now_s))
        return failed

    def ran_s(self, now_s: float) -> float:
        """For how long the run has been going on, in seconds."""
        return now_s - self._began_s

    def note(self, progress: Progress, now_s: float) -> None:
        """Look at how far the run is, for its rates."""
        rows = progress.answered + progress.failed
        self._pace.note(now_s, rows, progress.output_tokens)
        if rows != self._moved[0]:
            self._moved = (rows, now_s)
        self._answers.note(now_s)

    def snapshot(
        self,
        state: BatchState,
        progress: Progress,
        now_s: float,
        *,
        seen: InputSeen = UNSEEN,
        lanes: Sequence[Lane] = (),
        waiting: str = "",
        ended: State = "running",
        reason: str = "",
    ) -> Snapshot:
        """All figures now.

        Args:
            state: what the journal has.
            progress: how far the run is.
            now_s: the time.
            seen: what is known of the input.
            lanes: the endpoints, as they are.
            waiting: what nothing is begun for; empty if rows are asked.
            ended: how the run ended, if it did.
            reason: why.
        """
        self.note(progress, now_s)
        if self._before is None:
            self._before = before_of(state, progress)
        rows, is_known = rows_of(state, progress, seen, self._before)
        left = None if rows is None else max(0, rows - state.settled)
        is_ended = ended != "running"
        asked = max(0, progress.running - progress.waiting)
        is_still = is_ended or self._is_still(progress, asked, now_s)
        recent = None if is_still else self._pace.recent()
        overall = self._pace.overall(0.0) if is_ended else self._pace.overall()
        eta = None
        if left is not None and not is_still and (asked or not waiting):
            eta = time_left(left, self._pace.recent_parts(), is_total_known=is_known)
        return Snapshot(
            at_s=self._wall_s(now_s),
            begun_s=self._begun_s,
            ran_s=self.ran_s(now_s),
            state=ended,
            reason=reason,
            waiting=waiting,
            done=state.done,
            failed=state.failed,
            running=asked,
            held=progress.running - asked,
            cut_off=progress.cut_off if is_ended else 0,
            left=left,
            rows=rows if rows is None else max(rows, state.settled),
            is_rows_known=is_known,
            rows_per_s=recent and recent.rows,
            rows_per_s_overall=overall and overall.rows,
            tokens_per_s=recent and recent.tokens,
            tokens_per_s_overall=overall and overall.tokens,
            left_s=eta,
            input_tokens=state.input_tokens,
            output_tokens=state.output_tokens,
            cost=self._prices.cost(state.input_tokens, state.output_tokens),
            failures=failures_of(state.errors, self._messages)[:KINDS_MAX],
            lately=tuple(self._lately),
            lanes=tuple(map(self._answers.filled, lanes[:LANES_MAX])),
            embedded=self._embedded,
            earlier=self._before.done,
            queued_ms=spread_of(self._histograms["queued"], _US_PER_MS),
            first_token_ms=spread_of(self._histograms["first_token"], _US_PER_MS),
            latency_ms=spread_of(self._histograms["latency"], _US_PER_MS),
            tokens=spread_of(self._histograms["tokens"]),
        )

    def encode(self, snapshot: Snapshot) -> bytes:
        """What is to be stored, with a snapshot for who looks on."""
        buckets = {name: each.buckets for name, each in self._histograms.items()}
        return Stored(snapshot, buckets, self._messages).encode()

    # ---- parts of it

    def _answered(self, outcome: Outcome) -> None:
        tokens = outcome.entry.output_tokens
        timing = outcome.timing
        if timing is None:
            self._embedded += 1
            return
        self._histograms["tokens"].record(tokens)
        spans = (
            between_ns(timing.scheduled_ns, timing.sent_ns),
            between_ns(timing.sent_ns, timing.first_ns),
            between_ns(timing.sent_ns, timing.done_ns),
        )
        for name, span_ns in zip(_TIMES, spans, strict=True):
            if span_ns is not None:
                self._histograms[name].record(span_ns // _NS_PER_US)
        self._answers.count(outcome.endpoint, tokens)

    def _is_still(self, progress: Progress, asked: int, now_s: float) -> bool:
        """Whether nobody answers any row."""
        if progress.down_since_s is None:
            return False
        return not asked or now_s - self._moved[1] >= STILL_S

    def _failed(self, outcome: Outcome, now_s: float) -> Lately:
        kind = outcome.entry.error_kind or ""
        message = cut(one_line(outcome.error or ""), MESSAGE_MAX)
        if len(self._messages) < KINDS_MAX:
            self._messages.setdefault(kind, message)
        told = Lately(at_s=self._wall_s(now_s), kind=kind, message=message)
        rows = 1
        if self._lately and (self._lately[-1].kind, self._lately[-1].message) == (kind, message):
            rows += self._lately.pop().rows
        self._lately.append(msgspec.structs.replace(told, rows=rows))
        return told

    def _wall_s(self, now_s: float) -> float:
        return self._begun_s + now_s - self._began_s
