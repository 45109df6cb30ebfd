"""What the load server says of itself at its end, as values that cross processes."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence

import attrs
import msgspec

from benchmarks.figures import percentile

LATENESS_STEP_US = 10
"""The histogram's resolution."""

LATENESS_STEPS = 20_000
"""What is later than that many steps (200 ms) counts as that late, except in the maximum."""

Sample = tuple[float, float, int]
"""(monotonic time in s, own CPU time in s, chunks or answers sent)."""


@attrs.frozen
class Lateness:
    """From when a chunk's turn came to when the call that sent it returned.

    Only chunks that were sent while exactly the planned number of streams was open. By half a tick
    all are late on average: those that fall due within one tick are sent together.

    Attributes:
        count: Chunks; 0 where nothing is scheduled.
        p50_us: The median, in microseconds, to `LATENESS_STEP_US`.
        p99_us: The 99th percentile, likewise.
        max_us: The largest.
    """

    count: int = 0
    p50_us: float = 0.0
    p99_us: float = 0.0
    max_us: float = 0.0


@attrs.frozen
class Closings:
    """When the server saw that the client had closed its streams, on the monotonic clock.

    Attributes:
        count: Streams that the client closed.
        left_open: Streams that were open when the server ended.
        p99_s: When 99 % of them were seen to be closed, in seconds.
    """

    count: int = 0
    left_open: int = 0
    p99_s: float = 0.0


@attrs.frozen
class ServerReport:
    """All of it, printed as one JSON line.

    Attributes:
        samples: Oldest first.
        lateness: How exactly the schedule was kept.
        closings: What the client closed.
    """

    samples: list[Sample]
    lateness: Lateness = attrs.field(factory=Lateness)
    closings: Closings = attrs.field(factory=Closings)

    def encode(self) -> str:
        """Return the report as one JSON line without its newline."""
        return msgspec.json.encode(self).decode()


class LatenessLog:
    """Collects latenesses in a histogram: a bounded size, and one addition per chunk."""

    def __init__(self) -> None:
        self._steps = array("q", bytes(8 * (LATENESS_STEPS + 1)))
        self._max_s = 0.0

    def note(self, lates_s: Sequence[float]) -> None:
        """Count the chunks of one turn, at least one."""
        steps, last, per_s = self._steps, LATENESS_STEPS, 1e6 / LATENESS_STEP_US
        for late_s in lates_s:
            step = int(late_s * per_s)
            steps[step if step < last else last] += 1
        self._max_s = max(self._max_s, *lates_s)

    def summary(self) -> Lateness:
        """Return what was noted so far."""
        return Lateness(sum(self._steps), self._at(0.50), self._at(0.99), self._max_s * 1e6)

    def _at(self, share: float) -> float:
        """The upper edge of the step in which that share of the chunks is reached."""
        wanted, seen = share * sum(self._steps), 0
        for step, count in enumerate(self._steps):
            seen += count
            if count and seen >= wanted:
                return (step + 1) * LATENESS_STEP_US
        return 0.0


class ClosingLog:
    """Notes when streams were seen to be closed."""

    def __init__(self) -> None:
        self._at_s: list[float] = []

    def note(self) -> None:
        """One was closed now."""
        self._at_s.append(time.monotonic())

    def summary(self, left_open: int) -> Closings:
        """Return what was noted so far."""
        if not self._at_s:
            return Closings(left_open=left_open)
        return Closings(len(self._at_s), left_open, percentile(self._at_s, 0.99))
