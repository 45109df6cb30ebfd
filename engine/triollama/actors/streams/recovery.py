"""What becomes of a request after an attempt has failed: the decision, and what it is based on.

No IO. Owns, for one request, the endpoints that it need not try again, and how many attempts in a
row have brought nothing. An attempt that brought a part of the answer begins both anew: an answer
may break as often as it likes, as long as it comes nearer to its end.
"""

from __future__ import annotations

import attrs

from triollama._errors import (
    DeadlineExceededError,
    EngineClosedError,
    FleetUnavailableError,
    ModelNotFoundError,
    StreamBrokenError,
    StreamCancelledError,
    TriollamaError,
    TruncatedError,
)
from triollama.actors.streams.core import Exclusion, Verdict, verdict
from triollama.actors.streams.messages import Call, OnBreak
from triollama.actors.streams.resume import (
    Delivered,
    Way,
    choose_way,
    is_repetitive,
    is_spent,
)

_STANDS = (StreamCancelledError, EngineClosedError, DeadlineExceededError)
"""These are about the request, not its answer: they are raised as they are."""


NOBODY: frozenset[str] = frozenset()
"""One for all: each empty set would take 216 bytes, in every request."""

BEGUN_TIMES = 2
"""An answer that has begun is tried again so many times as often: with the pauses between them that
is some five seconds, in which most of what befalls all servers at once is over."""


@attrs.frozen
class Again:
    """Make another attempt.

    Attributes:
        way: how.
        is_stale: whether only a kept connection was closed: no endpoint is to blame.
        has_begun: whether a part of the answer has arrived: then another attempt repeats nothing,
            or little, and somebody waits in the middle of it.
    """

    way: Way
    is_stale: bool = False
    has_begun: bool = False


class Concluded:
    """The answer is whole but for its terminal line, which is known."""


CONCLUDED = Concluded()

Step = Again | Concluded | TriollamaError
"""What is to be done; an error is the end of the request."""


class Recovery:
    """One request's failures.

    Args:
        call: what is asked.
        on_break: what its caller wants when the answer breaks.
        attempts_max: see `EngineConfig.attempts_max`.

    Attributes:
        lacking: endpoints that do not have the model.
        tried: endpoints that failed since the answer last grew; used only if there is no other.
        causes: those failures.
        barren: attempts in a row that brought nothing, without those that say nothing.
    """

    __slots__ = (
        "_attempts_max",
        "_call",
        "_on_break",
        "_stale",
        "_tokens",
        "barren",
        "causes",
        "lacking",
        "tried",
    )

    def __init__(self, call: Call, on_break: OnBreak, attempts_max: int) -> None:
        self._call = call
        self._on_break = on_break
        self._attempts_max = attempts_max
        self._stale = 0
        self._tokens = 0
        self.lacking = NOBODY
        self.tried = NOBODY
        self.causes: tuple[TriollamaError, ...] = ()
        self.barren = 0

    def judge(self, failure: TriollamaError) -> Verdict:
        """What the failure says about the endpoint."""
        return verdict(failure, stale_before=self._stale)

    def after(self, failure: TriollamaError, endpoint: str, delivered: Delivered) -> Step:
        """What to do after an attempt has failed.

        Args:
            failure: why.
            endpoint: where it was made.
            delivered: what of the answer has arrived, by all attempts.
        """
        if isinstance(failure, FleetUnavailableError):
            failure = FleetUnavailableError(self.causes)  # the pool does not know them
        decided = self.judge(failure)
        if not decided.tries_again:
            return self.give_up(failure, delivered)
        if is_spent(self._call.request, delivered):
            return CONCLUDED
        self._note(failure, endpoint, decided, delivered)
        has_begun = not delivered.is_empty
        if self.barren > (self._attempts_max - 1) * (BEGUN_TIMES if has_begun else 1):
            return self.give_up(FleetUnavailableError(self.causes), delivered)
        way = choose_way(self._call.request, delivered, self._on_break)
        if way is None or _has_been_cut_off(failure, delivered):
            return self.give_up(failure, delivered)
        return Again(way, is_stale=decided.excludes is Exclusion.NONE, has_begun=has_begun)

    def give_up(self, failure: TriollamaError, delivered: Delivered) -> TriollamaError:
        """The error for the caller; it has the text so far, if the caller has seen any of it."""
        if isinstance(failure, _STANDS) or delivered.is_empty or not delivered.seen:
            return failure
        broken = StreamBrokenError(
            type(failure).__name__,
            reason=self._why_not(failure, delivered),
            endpoint=getattr(failure, "endpoint", ""),
            content=delivered.content,
            thinking=delivered.thinking,
            tool_calls=delivered.tool_calls,
        )
        broken.__cause__ = failure
        return broken

    def _why_not(self, failure: TriollamaError, delivered: Delivered) -> str:
        if isinstance(failure, FleetUnavailableError):
            return "no endpoint could go on with it"
        if self._on_break is OnBreak.RAISE:
            return "on_break is 'raise'"
        if _has_been_cut_off(failure, delivered):
            return "the model was repeating itself, so the server may have ended it"
        return "it cannot be gone on with on another endpoint"

    def _note(
        self, failure: TriollamaError, endpoint: str, decided: Verdict, delivered: Delivered
    ) -> None:
        if delivered.tokens > self._tokens:
            self.tried, self.causes, self.barren = NOBODY, (), 0
        self._tokens = delivered.tokens
        self.causes += (failure,)
        match decided.excludes:
            case Exclusion.NONE:
                self._stale += 1
            case Exclusion.LACKS:
                self.lacking |= {endpoint}
            case Exclusion.TRIED:
                self.tried |= {endpoint}
                self.barren += 1

    @property
    def is_lacking_everywhere(self) -> bool:
        """Whether all that is known is that endpoints do not have the model."""
        return bool(self.causes) and all(
            isinstance(each, ModelNotFoundError) for each in self.causes
        )


def _has_been_cut_off(failure: TriollamaError, delivered: Delivered) -> bool:
    """Whether the server has most likely ended the answer itself, for repeating itself."""
    return isinstance(failure, TruncatedError) and is_repetitive(delivered.content)
