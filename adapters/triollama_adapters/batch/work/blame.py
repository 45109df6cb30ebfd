"""Which rows kill the servers that work on them: the count, and what is made of it. No IO.

A connection that is lost in the middle of a request may be the server's end, and the request may
be why. One such loss says nothing: most are restarts. A row with one loss less than `CRASHES_MAX`
is a suspect, and asked alone among suspects: rows that ran beside the guilty one on the same
servers have lost their connections, too, and now run without it. Who has `CRASHES_MAX` losses, on
as many endpoints (or on all, if there are fewer), the last of them as a suspect, is set aside as
`PoisonRow`; it is asked again only by retry-failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from triollama import (
    Attempt,
    ConnectionLostError,
    FleetUnavailableError,
    ServerFailedError,
    TriollamaError,
    TruncatedError,
)
from triollama.actors.pool import Outcome

__all__ = ["CRASHES_MAX", "Blame", "PoisonRow"]

CRASHES_MAX: Final = 3
"""Lost connections, on as many endpoints, from which on it is the row and not the servers: fewer
befall a row that did nothing when servers are restarted one by one."""

_RUNNER_DIED = ("runner process", "unexpected eof")
"""What Ollama answers when the process that runs the model has died, in lower case."""

_LOST = (ConnectionLostError.__name__, TruncatedError.__name__)


class PoisonRow(TriollamaError):  # noqa: N818 - the kind of error that records show
    """A row that made every server lose the connection, or its model's process.

    Attributes:
        endpoints: where, each once.
        crashes: how often.
    """

    def __init__(self, endpoints: Sequence[str], crashes: int) -> None:
        named = ", ".join(endpoints)
        super().__init__(
            f"{crashes} attempts ended with a lost connection or a dead model, on {named}; it is "
            "set aside: retry-failed asks it again"
        )
        self.endpoints = tuple(endpoints)
        self.crashes = crashes


@attrs.define
class Blame:
    """What one row has done to servers so far.

    Attributes:
        crashes: attempts that ended so.
        endpoints: where, each once, in order.
        is_convicted: whether one of them was made as a suspect.
    """

    crashes: int = 0
    endpoints: dict[str, None] = attrs.field(factory=dict)
    is_convicted: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether one more crash may set it aside, so that it is to be asked alone."""
        return self.crashes >= CRASHES_MAX - 1

    def is_poison(self, fleet: int) -> bool:
        """Whether it is set aside.

        Args:
            fleet: how many endpoints there are.
        """
        is_everywhere = len(self.endpoints) >= min(CRASHES_MAX, fleet)
        return self.is_convicted and self.crashes >= CRASHES_MAX and is_everywhere

    def note(self, attempts: Iterable[Attempt], *, is_alone: bool) -> None:
        """Add the attempts of a stream that has ended.

        Args:
            attempts: all of them.
            is_alone: whether it was asked as a suspect.
        """
        for each in attempts:
            if _is_crash(each):
                self._add(each.endpoint, is_alone=is_alone)

    def note_causes(self, error: TriollamaError, *, is_alone: bool) -> None:
        """Add what an error tells, where there was no stream."""
        causes = error.causes if isinstance(error, FleetUnavailableError) else (error,)
        for each in causes:
            if _is_crash_error(each):
                self._add(getattr(each, "endpoint", ""), is_alone=is_alone)

    def with_running(self, attempts: Iterable[Attempt], *, is_alone: bool) -> Blame:
        """The same with the attempts of a stream that goes on."""
        both = Blame(self.crashes, dict(self.endpoints), self.is_convicted)
        both.note(attempts, is_alone=is_alone)
        return both

    def verdict(self) -> PoisonRow:
        """What is told of it."""
        return PoisonRow(tuple(self.endpoints), self.crashes)

    def _add(self, endpoint: str, *, is_alone: bool) -> None:
        self.crashes += 1
        self.endpoints[endpoint or "a server"] = None
        self.is_convicted |= is_alone


def _is_crash(attempt: Attempt) -> bool:
    if attempt.why is Outcome.UNUSED:  # the connection had been closed while it was idle
        return False
    return attempt.kind in _LOST or _is_dead_runner(attempt.kind, attempt.error)


def _is_crash_error(error: TriollamaError) -> bool:
    if isinstance(error, ConnectionLostError):
        return not error.stale
    return isinstance(error, TruncatedError) or _is_dead_runner(type(error).__name__, str(error))


def _is_dead_runner(kind: str, told: str) -> bool:
    told = told.lower()
    return kind == ServerFailedError.__name__ and any(each in told for each in _RUNNER_DIED)
