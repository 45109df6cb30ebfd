"""The attempts of one request that have ended.

They become `Attempt`s only when somebody asks, which for most requests nobody does.
"""

from __future__ import annotations

import time

from triollama._errors import TriollamaError
from triollama.actors.pool import Outcome
from triollama.actors.streams.messages import Attempt
from triollama.actors.streams.resume import Way


class History:
    """What has been tried so far.

    Attributes:
        characters: how much of the answer these attempts brought, text and thinking together.
    """

    __slots__ = ("_ended", "characters")

    def __init__(self) -> None:
        self._ended: list[tuple[str, int, int, Outcome, str, Way, int, str]] = []
        self.characters = 0

    def __len__(self) -> int:
        return len(self._ended)

    def add(
        self,
        endpoint: str,
        started_ns: int,
        why: Outcome,
        failure: TriollamaError | None,
        *,
        way: Way,
        characters: int,
    ) -> None:
        """An attempt has just ended.

        Args:
            endpoint: where it was made.
            started_ns: when its lease was granted, on the clock of `time.perf_counter_ns`.
            why: how it ended.
            failure: the error, if there was one. Only its text and class are kept.
            way: how it was made.
            characters: how much of the answer has arrived by now.
        """
        ended_ns, error = time.perf_counter_ns(), str(failure) if failure is not None else ""
        brought = characters - self.characters
        kind = type(failure).__name__ if failure is not None else ""
        self._ended.append((endpoint, started_ns, ended_ns, why, error, way, brought, kind))
        self.characters = characters

    def attempts(self) -> list[Attempt]:
        """All of them, the first first."""
        return [
            Attempt(endpoint, started_ns, ended_ns, why, error, way.value, characters, kind)
            for endpoint, started_ns, ended_ns, why, error, way, characters, kind in self._ended
        ]
