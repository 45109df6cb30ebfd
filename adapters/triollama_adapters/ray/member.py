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

GATHER_S: Final = 0.004
"""How long new rows gather after outcomes, to go with the next call: each call costs both sides
0.6 ms, and as many rows come as outcomes came."""

LATE_S: Final = 0.012
"""How long rows may wait for that; those that come at other times have a call of their own."""

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
        pid: of its process, on its machine; 0 as long as that is unknown.
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
        self.pid = 0
        self.finished = 0
        self.dropped: list[int] = []
        self._is_taking = False

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
        """Give rows that come while outcomes are waited for."""
        while True:
            await self._news.park()
            await trio.sleep(LATE_S)
            while self._is_taking and (block := self._block()):
                await result_of(self._actor.give.remote(pack(block)), within_s=ANSWER_S)

    async def _take(self) -> None:
        """Give rows and take outcomes, in one call."""
        while True:
            rows = pack(self._block())
            self._is_taking = True
            data = await result_of(self._actor.take.remote(rows), within_s=TAKE_S + ANSWER_S)
            self._is_taking = False
            outcomes, seen = unpack(data)
            self._see(self.name, seen)
            for ticket, asked in outcomes:
                if self._board.done(self.name, ticket) is not None:
                    self.finished += 1
                    self._settle(ticket, asked)
            await trio.sleep(GATHER_S)

    def _block(self) -> list[tuple[int, bytes | None]]:
        """What there is for the worker, perhaps nothing."""
        dropped, self.dropped = self.dropped, []
        block: list[tuple[int, bytes | None]] = [(ticket, None) for ticket in dropped]
        held = self._board.take(self.name, BLOCK_MAX, BLOCK_BYTES_MAX)
        return block + [(each.ticket, each.content) for each in held]
