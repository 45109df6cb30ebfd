"""Which endpoint gave how many answers, and how fast. No IO, no clock.

Bounds: `LANES_MAX` endpoints; answers of others are counted nowhere here.
"""

from __future__ import annotations

from typing import Final

import attrs
from msgspec.structs import replace

from triollama_adapters.batch.figures.pace import Pace
from triollama_adapters.batch.figures.snapshot import Lane

__all__ = ["LANES_MAX", "Answers"]

LANES_MAX: Final = 256


@attrs.define
class _Count:
    pace: Pace
    rows: int = 0
    tokens: int = 0


class Answers:
    """Counts answers by their endpoint.

    Args:
        now_s: when the run begins, on the clock of all that follows, in seconds.
    """

    def __init__(self, now_s: float) -> None:
        self._began_s = now_s
        self._counts: dict[str, _Count] = {}

    def count(self, endpoint: str, tokens: int) -> None:
        """Take the answer of one row.

        Args:
            endpoint: who gave it.
            tokens: that it has.
        """
        count = self._counts.get(endpoint)
        if count is None:
            if len(self._counts) >= LANES_MAX:
                return
            count = self._counts[endpoint] = _Count(Pace(self._began_s))
        count.rows += 1
        count.tokens += tokens

    def note(self, now_s: float) -> None:
        """Look at all counts, for their rates.

        Args:
            now_s: the time.
        """
        for each in self._counts.values():
            each.pace.note(now_s, each.rows, each.tokens)

    def filled(self, lane: Lane) -> Lane:
        """An endpoint with what it answered."""
        count = self._counts.get(lane.endpoint)
        if count is None:
            return lane
        rate = count.pace.recent()
        return replace(
            lane, rows=count.rows, tokens=count.tokens, tokens_per_s=rate and rate.tokens
        )
