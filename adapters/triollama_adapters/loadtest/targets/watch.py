"""The clocks of the requests under way: first token, stall, total. One task for all of them.

A stamp costs nothing more for it: the connection notes when it last read. How late a clock is
noticed: a `SHARE` of the shortest of them, and `TICK_S_MAX` at most.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

import trio

from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.targets.record import Record

__all__ = ["Watch"]

SHARE: Final = 0.05
TICK_S_MAX: Final = 0.25
TICK_S_MIN: Final = 0.01

LINGER_NS: Final = 1_000_000_000
"""How long a whole answer may take to end its HTTP body, before its connection is given up."""

SLICE: Final = 500
"""Requests that are looked at in a row: a tenth of a millisecond."""


class Watch:
    """Ends requests whose clocks have run out.

    Args:
        running: gives those under way.
        target: the clocks.
    """

    def __init__(self, running: Collection[Record[Any]], target: Target) -> None:
        self._running = running
        self._target = target
        self._first_ns = round(min(target.first_token_s, 1e9) * 1e9)
        self._stall_ns = round(min(target.stall_s, 1e9) * 1e9)
        self._total_ns = round(min(target.total_s, 1e9) * 1e9)
        shortest_s = min(target.first_token_s, target.stall_s, target.total_s)
        self.tick_s = min(max(SHARE * shortest_s, TICK_S_MIN), TICK_S_MAX)

    async def run(self) -> None:
        """Look at every tick until cancelled."""
        while True:
            await trio.sleep(self.tick_s)
            records = list(self._running)
            for first in range(0, len(records), SLICE):
                now_ns = time.perf_counter_ns()
                for record in records[first : first + SLICE]:
                    self.look(record, now_ns)
                await trio.lowlevel.checkpoint()

    def look(self, record: Record[Any], now_ns: int) -> None:
        """End one if a clock of it has run out."""
        exchange, heard = record.exchange, record.heard
        if exchange is None:
            return  # it is being connected, which has a clock of its own
        if heard.done_ns:
            if now_ns - heard.done_ns > LINGER_NS:
                record.end("ok")
        elif now_ns - exchange.sent_ns > self._total_ns:
            record.end("total_timeout", f"not whole within {self._target.total_s:g} s")
        elif not heard.stamps:
            if now_ns - exchange.sent_ns > self._first_ns:
                record.end("first_token_timeout", f"none within {self._target.first_token_s:g} s")
        elif now_ns - exchange.received_ns > self._stall_ns:
            record.end("stall", f"nothing for {self._target.stall_s:g} s")
