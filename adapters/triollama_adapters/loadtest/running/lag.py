"""How late the event loop of this process looks at its sockets.

Two things are noted: how long each turn of the loop kept it busy, in which nothing is read; and how
late a task wakes that sleeps, which tells when the system gave this process no time. `Lag.since`
gives the largest of both that overlaps a request.

Bounds: of the past only what a later question can ask for is kept: a lag that a larger one
followed is never the answer.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Final

import trio

__all__ = ["Lag"]

TICK_S: Final = 0.02
"""Between two looks: 50 a second cost a thousandth of a core."""

ROUNDING_NS: Final = 1_000_000
"""The system's timer is rounded up to whole milliseconds; sockets are not, so that this much of a
late waking says nothing about them."""

LAGS_MAX: Final = 4_096
"""Lags that are kept; the oldest, which are the largest, are put together beyond it."""


class Lag(trio.abc.Instrument):
    """The lags of this process; on `perf_counter_ns`. Use it as ``trio``'s instrument and `run` it.

    Attributes:
        largest_ns: since it was last taken by `take_largest`.
    """

    def __init__(self) -> None:
        self._ends_ns: list[int] = []
        self._lags_ns: list[int] = []
        self._turn_ns = 0
        self._is_over = False
        self.largest_ns = 0

    # ---- what trio calls, twice in every turn

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's name
        """A turn of the loop is over."""
        if self._turn_ns:
            now_ns = time.perf_counter_ns()
            self.note(now_ns, now_ns - self._turn_ns)

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's name
        """Another one begins."""
        self._turn_ns = time.perf_counter_ns()

    async def run(self) -> None:
        """Look how late a sleeper wakes, until cancelled."""
        trio.lowlevel.add_instrument(self)
        try:
            while True:
                due_s = trio.current_time() + TICK_S
                await trio.sleep_until(due_s)
                late_ns = round((trio.current_time() - due_s) * 1e9) - ROUNDING_NS
                if late_ns > 0:
                    self.note(time.perf_counter_ns(), late_ns)
        finally:
            trio.lowlevel.remove_instrument(self)

    # ---- keeping and asking

    def note(self, end_ns: int, lag_ns: int) -> None:
        """A lag ended now. Ends never go back."""
        if self._is_over:
            return
        ends, lags = self._ends_ns, self._lags_ns
        self.largest_ns = max(self.largest_ns, lag_ns)
        while lags and lags[-1] <= lag_ns:
            lags.pop()
            ends.pop()
        if len(lags) >= LAGS_MAX:
            # Of each pair the larger lag with the later end: an answer is too large, if anything.
            del lags[1::2], ends[0::2]
        lags.append(lag_ns)
        ends.append(end_ns)

    def end(self) -> None:
        """Note nothing more: what comes now, such as cutting everything off, is not the load."""
        self._is_over = True

    def since(self, from_ns: int) -> int:
        """The largest lag that was not over before a time; 0 if there was none."""
        place = bisect_left(self._ends_ns, from_ns)
        return self._lags_ns[place] if place < len(self._lags_ns) else 0

    def take_largest(self) -> int:
        """The largest since the last call."""
        largest_ns, self.largest_ns = self.largest_ns, 0
        return largest_ns
