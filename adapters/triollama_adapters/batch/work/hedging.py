"""Which of the last rows is asked a second time: the decision. No IO, no clock, no randomness.

A server that has become slow, or hangs, keeps the job from its end with the one row that it works
on. While slots are idle and nothing waits, such a row is asked once more, and the answer that comes
first counts. Rows differ in length, so a row's time is measured by what its answer's expected
length would take at the speed of the rows that are done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from triollama_adapters.batch.work.running import Running, Second

__all__ = ["HEDGE_SHARE", "Hedging"]

HEDGE_SHARE: Final = 0.02
"""The share of all rows that is asked twice at most, but one row always may be."""

LATE: Final = 3.0
"""So many times the usual time for its length a row has taken when it is late."""

LATE_S: Final = 5.0
"""And so many seconds at least: what takes less is not worth a second one."""

DONE_MIN: Final = 20
"""Rows that must be done before anything is usual."""

WEIGHT: Final = 0.05
"""What the latest row counts: about the last twenty do."""


class Hedging:
    """See the module. All times are seconds on the caller's clock."""

    def __init__(self) -> None:
        self.hedged = 0
        self._done = 0
        self._per_token_s = 0.0

    def done(self, running: Running, now_s: float) -> None:
        """A row has its outcome."""
        self._done += 1
        took_s = (now_s - running.began_s) / max(running.expected, 1.0)
        self._per_token_s += max(1.0 / self._done, WEIGHT) * (took_s - self._per_token_s)

    def choose(self, running: Iterable[Running], now_s: float, rows: int) -> Running | None:
        """The row that is the latest of those that are late; it is then asked a second time.

        Args:
            running: the rows that are asked.
            now_s: the time.
            rows: how many there are in all, those that are done included.
        """
        if self._done < DONE_MIN or self.hedged >= max(1, int(HEDGE_SHARE * rows)):
            return None
        late = [each for each in running if each.second is None and self._is_late(each, now_s)]
        if not late:
            return None
        chosen = min(late, key=lambda each: each.began_s)
        chosen.second = Second()
        self.hedged += 1
        return chosen

    def _is_late(self, running: Running, now_s: float) -> bool:
        usual_s = max(running.expected, 1.0) * self._per_token_s
        return now_s - running.began_s > max(LATE_S, LATE * usual_s)
