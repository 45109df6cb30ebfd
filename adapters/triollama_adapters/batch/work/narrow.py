"""How many answers of votes are asked for at a time: no more than rows without a vote would be.

Bounds: rows that are asked, at most as many at a time as there were so far; answers wait in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked, Asks

__all__ = ["Narrow"]


class Narrow:
    """Asks for the answers of votes, at most as many at a time as rows were at a time so far.

    So a job that votes asks no more of the servers at a time than one that does not; and towards
    its end, when there are fewer rows, each of them gets more of its answers at a time.

    Args:
        asks: who is asked.
    """

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._places = trio.CapacityLimiter(1)
        self._rows = 0

    @contextmanager
    def row(self) -> Iterator[None]:
        """For the time that one row is asked."""
        self._rows += 1
        self._places.total_tokens = max(self._places.total_tokens, self._rows)
        try:
            yield
        finally:
            self._rows -= 1

    async def ask(self, ask: Ask) -> Asked:
        """Ask for one answer, when its turn comes."""
        async with self._places:
            return await self._asks.ask(ask)
