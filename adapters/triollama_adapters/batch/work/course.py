"""What is known of a row while it is asked, and what came of it. No IO."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from triollama import (
    Attempt,
    ChatChunk,
    ChatResponse,
    GenerateChunk,
    GenerateResponse,
    Stream,
    Timing,
    TriollamaError,
    Usage,
)
from triollama_adapters.batch.output.outcomes import Way
from triollama_adapters.batch.rows import Answer, RowError
from triollama_adapters.batch.work.blame import Blame

__all__ = ["AnyStream", "Asked", "Course"]

AnyStream = Stream[ChatChunk, ChatResponse] | Stream[GenerateChunk, GenerateResponse]

STRAYS_MAX: Final = 3
"""So often a row for which nobody could be reached loses no try although others were answered
after it had been asked: an outage may have begun only then."""

EARLIER_MAX: Final = 32
"""Attempts of earlier tries that a record tells: during an outage there may be any number."""


@attrs.frozen
class Asked:
    """What came of a row.

    Attributes:
        answer: the answer; None if there is none.
        error: why there is none.
        stream: the last stream, with its attempts and times; None where there was none.
        tries: how often the engine was asked, also in vain for want of a server.
        refused: an answer that came but does not count; `error` says why.
        more: fields of the record besides; of a check or a vote, or the answer's columns.
        earlier: what was tried before the last stream, the latest `EARLIER_MAX` attempts of it.
        broken: what had arrived of an answer that broke, in the last try in which anything had.
        wasted: the usage of answers that came besides `answer` or `refused`.
    """

    answer: Answer | None
    error: TriollamaError | RowError | None
    stream: AnyStream | None
    tries: int
    refused: Answer | None = attrs.field(default=None, repr=False)
    more: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    earlier: Sequence[Attempt] = attrs.field(default=(), repr=False)
    broken: Answer | None = attrs.field(default=None, repr=False)
    wasted: Usage = attrs.field(factory=Usage)

    @property
    def spent(self) -> Usage:
        """The usage of all answers that came, together, those that do not count included."""
        answer = self.answer or self.refused
        return self.wasted if answer is None else answer.usage + self.wasted

    @property
    def way(self) -> Way | None:
        """How the answer came about, all tries together; None if nobody knows."""
        if not self.earlier:
            return self.stream
        if self.stream is None:
            return _Whole("", tuple(self.earlier), Timing())
        attempts = (*self.earlier, *self.stream.attempts)
        return _Whole(self.stream.endpoint, attempts, self.stream.timing)


@attrs.frozen
class _Whole:
    """How an answer came about, over several streams; see `Way`."""

    endpoint: str
    attempts: Sequence[Attempt]
    timing: Timing


@attrs.define
class Course:
    """One row on its way to its outcome.

    Attributes:
        model: the normalised name of the one that it asks.
        asked_s: when it was asked last, on trio's clock.
        tries: how often it was asked.
        stream: that of the last try; None where there was none.
        free: how many of those do not count.
        strays: times that nobody could be reached for it while others were answered.
        blame: what it has done to servers.
        is_alone: whether it is asked alone, for that.
        earlier: the attempts of the tries before this one.
        broken: see `Asked`.
    """

    model: str
    asked_s: float = 0.0
    tries: int = 0
    stream: AnyStream | None = None
    free: int = 0
    strays: int = 0
    blame: Blame = attrs.field(factory=Blame)
    is_alone: bool = False
    earlier: deque[Attempt] = attrs.field(factory=lambda: deque(maxlen=EARLIER_MAX))
    broken: Answer | None = None

    def begin_try(self) -> None:
        """There is another try; what was tried before is kept."""
        self.tries += 1
        if self.stream is not None:
            self.earlier.extend(self.stream.attempts)
            self.stream = None

    def told(self, answer: Answer | None, error: TriollamaError | None) -> Asked:
        """What came of it."""
        earlier, broken = tuple(self.earlier), None if error is None else self.broken
        return Asked(answer, error, self.stream, self.tries, earlier=earlier, broken=broken)

    def take_stray(self) -> bool:
        """It missed everybody, but others were answered; whether that is for free."""
        self.strays += 1
        return self.strays <= STRAYS_MAX

    def note(self, failure: TriollamaError) -> None:
        """Count what befell servers in this try, and keep what had arrived."""
        if self.stream is None:
            self.blame.note_causes(failure, is_alone=self.is_alone)
            return
        self.blame.note(self.stream.attempts, is_alone=self.is_alone)
        had = self.stream.partial
        if had.content or had.thinking or had.tool_calls:
            self.broken = had
