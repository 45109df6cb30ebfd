"""The run's clock: nanoseconds from its beginning on, the same for all processes of a machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import trio

__all__ = ["RunClock"]

_NS = 1_000_000_000


class RunClock:
    """Turns stamps of `time.perf_counter_ns` into times of the run, and waits for such times.

    On Linux ``perf_counter_ns`` is the same clock in every process of a machine. The wall clock is
    read once, when the beginning is set: a step of it changes nothing.

    Args:
        start_ns: the run's beginning, on ``perf_counter_ns``; may lie ahead. None: `begin` will
            tell; until then there are no times.

    Attributes:
        start_ns: the beginning; 0 before `begin`.
        began_at: the wall clock at the beginning.
    """

    def __init__(self, start_ns: int | None = None) -> None:
        self.start_ns = 0
        self.began_at = datetime.now(UTC)
        if start_ns is not None:
            self.begin(start_ns)

    def __repr__(self) -> str:
        return f"<RunClock began at {self.began_at:%H:%M:%S.%f}>"

    def begin(self, start_ns: int) -> None:
        """Set the run's beginning, on ``perf_counter_ns``."""
        self.start_ns = start_ns
        ahead_ns = start_ns - time.perf_counter_ns()
        self.began_at = datetime.fromtimestamp((time.time_ns() + ahead_ns) / _NS, UTC)

    def now_ns(self) -> int:
        """How far the run is; negative before its beginning."""
        return time.perf_counter_ns() - self.start_ns

    def of(self, stamp_ns: int) -> int:
        """The time of the run at a stamp of ``perf_counter_ns``; 0, "never", stays 0."""
        return stamp_ns - self.start_ns if stamp_ns else 0

    async def sleep_until(self, due_ns: int) -> None:
        """Wait until a time of the run; a checkpoint if it has passed. May be late by 1 ms."""
        ahead_s = (due_ns - self.now_ns()) / _NS
        await trio.sleep_until(trio.current_time() + ahead_s)
