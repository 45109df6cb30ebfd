"""The driver's half of one worker: gives it rows, takes its outcomes, until it is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import trio

from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.ray.board import Board
from triollama_adapters.ray.calls import result_of
from triollama_adapters.ray.errors import RayError, WorkerLostError
from triollama_adapters.ray.packing import pack, unpack
from triollama_adapters.ray.sight import Seen
from triollama_adapters.ray.worker import STOP, TAKE_S

__all__ = ["Actor", "Member"]

BLOCK_MAX: Final = 256
"""Rows given at once."""

BLOCK_BYTES_MAX: Final = 4 << 20
"""Of their content, unless a single row is larger."""

GATHER_S: Final = 0.002
"""How long rows gather after the first one: each call costs both sides 0.6 ms, and rows come as
many at a time as outcomes came."""

ANSWER_S: Final = 30.0
"""How long a worker may take to take rows, or longer than it should to give outcomes; then it
hangs, or cannot be reached."""


class Actor(Protocol):
    """Ray's handle of a worker; its methods have a ``remote`` each."""

    @property
    def give(self) -> Any:
        """See `Worker.give`."""

    @property
    def take(self) -> Any:
        """See `Worker.take`."""


class Member:
    """One worker that has joined the board.

    Args:
        name: its name there.
        actor: the worker.
        board: says which rows it gets.
        news: unparked when there may be rows for it.
        settle: is given each ticket's outcome; None for a row that was left because of `stop`.
        see: is given what the worker sees of its servers, with its name.

    Attributes:
        finished: rows of which it gave an outcome.
        dropped: tickets that it is to ask no longer.
    """

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        name: str,
        actor: Actor,
        board: Board,
        news: trio.lowlevel.ParkingLot,
        settle: Callable[[int, Asked | None], None],
        see: Callable[[str, Seen], None],
    ) -> None:
        self.name = name
        self._actor = actor
        self._board = board
        self._news = news
        self._settle = settle
        self._see = see
        self.finished = 0
        self.dropped: list[int] = []

    def stop(self) -> None:
        """Have rows left that wait to be asked again. `news` must be unparked. Never waits."""
        self.dropped.append(STOP)

    async def run(self) -> None:
        """Give and take. If cancelled, what the worker has is nobody's business any more.

        Raises:
            WorkerLostError: it is lost.
            RayError: nothing can go on.
        """
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def guarded(work: Callable[[], Any]) -> None:
                try:
                    await work()
                except (WorkerLostError, RayError) as error:
                    failures.append(error)
                    nursery.cancel_scope.cancel()

            nursery.start_soon(guarded, self._give)
            nursery.start_soon(guarded, self._take)
        if failures:
            raise failures[0]

    async def _give(self) -> None:
        while True:
            dropped, self.dropped = self.dropped, []
            rows = self._board.take(self.name, BLOCK_MAX, BLOCK_BYTES_MAX)
            if not rows and not dropped:
                await self._news.park()
                await trio.sleep(GATHER_S)
                continue
            block: list[tuple[int, bytes | None]] = [(ticket, None) for ticket in dropped]
            block += [(held.ticket, held.content) for held in rows]
            await result_of(self._actor.give.remote(pack(block)), within_s=ANSWER_S)

    async def _take(self) -> None:
        while True:
            data = await result_of(self._actor.take.remote(), within_s=TAKE_S + ANSWER_S)
            outcomes, seen = unpack(data)
            self._see(self.name, seen)
            for ticket, asked in outcomes:
                if self._board.done(self.name, ticket) is not None:
                    self.finished += 1
                    self._settle(ticket, asked)
