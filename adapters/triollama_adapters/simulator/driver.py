"""The clock of a simulator: one task that sleeps until something is due.

Shared by the HTTP server and the in-memory transport. One task drives all streams, whatever their
number: a task for each stream that sleeps for each token costs several times what the token costs.
"""

from __future__ import annotations

import logging
from math import inf

import trio

from .core import Simulator

__all__ = ["Driver"]

_log = logging.getLogger(__name__)


class Driver:
    """Advances one simulator.

    Args:
        simulator: which.
        tick_s: the shortest time between two steps, in seconds. 0 follows every due time exactly;
            a little more lets one step do the work of many.
    """

    def __init__(self, simulator: Simulator, *, tick_s: float) -> None:
        self._simulator = simulator
        simulator.on_defect = _log_defect
        self._tick_s = tick_s
        self._scope = trio.CancelScope()
        self._sleeping_until = -inf
        self._last = -inf

    def wake(self) -> None:
        """Look again at what is due: a request has come, or a client reads again."""
        due = max(self._simulator.next_due, self._last + self._tick_s)
        if due < self._sleeping_until:
            self._sleeping_until = due
            self._scope.deadline = due

    async def run(self) -> None:
        """Drive the simulator until cancelled; a defect ends its own request, and is logged."""
        while True:
            due = self._simulator.next_due
            if due > self._last:  # else the last step left something over
                due = max(due, self._last + self._tick_s)
            self._sleeping_until = due
            with trio.CancelScope(deadline=due) as self._scope:
                await trio.sleep_forever()
            self._sleeping_until = -inf
            self._last = trio.current_time()
            self._simulator.advance(self._last)


def _log_defect(error: Exception) -> None:
    _log.error("a defect of the simulator ended a request", exc_info=error)
