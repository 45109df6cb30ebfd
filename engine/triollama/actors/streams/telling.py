"""The facts about one request, made only where somebody listens."""

from __future__ import annotations

import attrs
import trio

from triollama import _facts as fact
from triollama._errors import TriollamaError
from triollama.actors.facts import FactHub
from triollama.actors.streams.messages import Ended
from triollama.actors.streams.resume import Way


@attrs.define
class Telling:
    """Tells what happens to one request.

    Attributes:
        facts: where to.
        stream: the request's number.
        model: the model's name as the caller wrote it.
        began_s: when the request was made, on trio's clock.
        broke_s: when its last attempt failed.
    """

    facts: FactHub
    stream: int
    model: str
    began_s: float
    broke_s: float = 0.0

    def started(self, endpoint: str) -> None:
        """It got a lease."""
        if self.facts.is_heard:
            now_s = trio.current_time()
            since_s = max(self.began_s, self.broke_s)
            self._tell(fact.StreamStarted, now_s, endpoint=endpoint, waited_s=now_s - since_s)

    def failed(self, endpoint: str, error: TriollamaError, characters: int) -> None:
        """An attempt failed."""
        self.broke_s = trio.current_time()
        if self.facts.is_heard:
            self._tell(
                fact.AttemptFailed,
                self.broke_s,
                endpoint=endpoint,
                error=type(error).__name__,
                characters=characters,
            )

    def went_on(self, way: Way, endpoint: str, characters: int) -> None:
        """The first chunk after a break came."""
        if not self.facts.is_heard:
            return
        now_s = trio.current_time()
        if way is Way.RESEND:
            self._tell(fact.StreamResent, now_s, endpoint=endpoint)
            return
        gap_s = now_s - self.broke_s
        self._tell(
            fact.StreamContinued,
            now_s,
            endpoint=endpoint,
            way=way.value,
            characters=characters,
            gap_s=gap_s,
        )

    def ended(
        self, ended: Ended, endpoint: str, error: TriollamaError | None, attempts: int, tokens: int
    ) -> None:
        """It has its outcome."""
        if self.facts.is_heard:
            now_s = trio.current_time()
            self._tell(
                fact.StreamEnded,
                now_s,
                endpoint=endpoint,
                outcome=ended.value,
                error=type(error).__name__ if error is not None else "",
                attempts=attempts,
                output_tokens=tokens,
                took_s=now_s - self.began_s,
            )

    def _tell(self, kind: type[fact.StreamFact], now_s: float, **values: str | float) -> None:
        self.facts.publish(kind(at_s=now_s, stream=self.stream, model=self.model, **values))
