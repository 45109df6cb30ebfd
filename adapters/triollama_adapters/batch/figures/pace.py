"""How fast something goes: readings of two counters that grow, over the last while and overall.

No clock: the time comes with each reading. Bounds: `READINGS_MAX` readings, however long it takes;
of the older half every other one is dropped when they are reached, so that a slow job still has a
past to look back on.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["Pace", "Rate"]

RECENT_S: Final = 30.0
"""What a recent rate looks back over: long enough to be read, short enough to show a change."""

RECENT_ROWS: Final = 32
"""Rows that it looks back over at least: of a slow job, 30 s say nothing."""

EVERY_S: Final = 1.0
"""Readings closer than that are not kept apart."""

READINGS_MAX: Final = 256

PARTS: Final = 8
"""Of the recent past, for how much its rates differ."""

FROM_S: Final = 1.0
"""Before that the rate of what goes on says nothing."""

LEAST_S: Final = 0.001


class Rate(NamedTuple):
    """Per second.

    Attributes:
        rows: rows.
        tokens: tokens.
    """

    rows: float
    tokens: float


class _Reading(NamedTuple):
    at_s: float
    rows: float
    tokens: float


class Pace:
    """Rates of rows and tokens.

    Args:
        begun_s: when both were 0.
    """

    def __init__(self, begun_s: float) -> None:
        self._readings = [_Reading(begun_s, 0, 0)]
        self._last = self._readings[0]

    def note(self, now_s: float, rows: int, tokens: int) -> None:
        """Take a reading.

        Args:
            now_s: when, never before an earlier one.
            rows: so far.
            tokens: so far.
        """
        self._last = _Reading(now_s, rows, tokens)
        readings = self._readings
        if now_s - readings[-1].at_s >= EVERY_S:
            readings.append(self._last)
        if len(readings) > READINGS_MAX:
            half = READINGS_MAX // 2
            readings[1:half] = readings[2:half:2]

    def overall(self, from_s: float = FROM_S) -> Rate | None:
        """Since the beginning; None as long as that says nothing.

        Args:
            from_s: how long that is, in seconds.
        """
        return self._since(self._readings[0], from_s)

    def recent(self) -> Rate | None:
        """Over the recent past; None as long as that says nothing."""
        return self._since(self._from(), FROM_S)

    def recent_parts(self) -> list[float]:
        """Rows per second in equal parts of the recent past, the oldest first; none if unknown."""
        start, end = self._from().at_s, self._last.at_s
        if end - start < PARTS * EVERY_S / 2:
            return []
        long_s = (end - start) / PARTS
        rows = [self._rows_at(start + part * long_s) for part in range(PARTS + 1)]
        return [max(0.0, after - before) / long_s for before, after in pairwise(rows)]

    def _from(self) -> _Reading:
        """Where the recent past begins."""
        last = self._last
        return next(
            (
                each
                for each in reversed(self._readings)
                if last.at_s - each.at_s >= RECENT_S and last.rows - each.rows >= RECENT_ROWS
            ),
            self._readings[0],
        )

    def _since(self, start: _Reading, from_s: float) -> Rate | None:
        took_s = self._last.at_s - start.at_s
        if took_s < max(from_s, LEAST_S):
            return None
        return Rate(
            (self._last.rows - start.rows) / took_s, (self._last.tokens - start.tokens) / took_s
        )

    def _rows_at(self, at_s: float) -> float:
        """How many rows there were, between two readings as if they had come evenly."""
        readings = [*self._readings, self._last]
        place = bisect_right(readings, at_s, key=lambda each: each.at_s)
        if place == len(readings):
            return self._last.rows
        before, after = readings[place - 1], readings[place]
        share = (at_s - before.at_s) / (after.at_s - before.at_s)
        return before.rows + share * (after.rows - before.rows)
