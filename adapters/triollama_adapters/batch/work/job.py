"""One job: every row of an input gets one outcome, whatever dies on the way.

A reader puts the rows that have no outcome yet on the `Desk`; workers take them from there, ask the
engine, and hand over one entry each; the `Keeper` commits the entries in groups. What was committed
is never asked again.

Bounds: as many rows are asked at a time as the servers have slots, and a few more, at most
`Limits.rows_max`; at most `Limits.window` rows are read and have no outcome yet. Memory does not
grow with the input.

Under cancellation the reader and the workers leave at once; the writer stays until what was
complete is committed, but for answers that wait for an earlier row's because the order is kept:
those are asked again. `Job.stop` is the patient way: what runs is finished, nothing new is begun,
and what waits, for a slot, for a server that is away or between two tries, is left for a resume.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import trio

from triollama_adapters.batch.errors import BatchError
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.asking import Asked, Asks
from triollama_adapters.batch.work.desk import Desk
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.items import item_of
from triollama_adapters.batch.work.keeping import (
    GROUP_MAX,
    Deliver,
    Keeper,
    Ledger,
    Placed,
)
from triollama_adapters.batch.work.limits import Limits, Progress
from triollama_adapters.batch.work.outcome import Outcome, outcome_of
from triollama_adapters.batch.work.reading import Reader, Rows
from triollama_adapters.batch.work.running import Running
from triollama_adapters.batch.work.servers import Servers

__all__ = [
    "Deliver",
    "Job",
    "Ledger",
    "Limits",
    "Outcome",
    "Progress",
    "Rows",
]

LOOK_S: Final = 0.25
"""Between two looks at the servers: what the engine learns of them doubles within some answers."""

LEARN_S: Final = 60.0
"""Between two times that the servers are asked for their models, if rows ask for several; as often
as the engine does."""


class Job:
    """Runs one input. To be run once.

    Args:
        rows: the input.
        ledger: keeps the outcomes.
        asker: asks.
        shape: makes the entry of a row and what came of it; None for a row that cannot be asked.
        limits: see `Limits`.
        deliver: is given the outcomes of each commit, and waited for; None: nobody wants them.
        gate: where rows of `asker` wait when nobody answers; `stop` sends them away.
        servers: the fleet that is followed; None: not known, see `Capacity`.
        watch: called several times a second while the job runs; see `Asker.watch`.

    Attributes:
        progress: how far it is.
    """

    def __init__(
        self,
        rows: Rows,
        ledger: Ledger,
        asker: Asks,
        shape: Callable[[Row, Asked | None], Entry],
        limits: Limits,
        *,
        deliver: Deliver | None = None,
        gate: Gate | None = None,
        servers: Servers | None = None,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._asker = asker
        self._shape = shape
        self._gate = gate or Gate()
        self._gate.give_up_s = limits.outage_s_max
        self._servers = servers
        self._watch = watch
        self._window = trio.Semaphore(max(limits.window, limits.concurrency or 1))
        self._desk = Desk(limits, self._gate, servers)
        self._reading = trio.CancelScope()
        self._asking = trio.CancelScope()
        self._failure: BatchError | None = None
        self._workers = 0
        self.progress = Progress()
        self._reader = Reader(rows, ledger, self.progress, accepts_changes=limits.accepts_changes)
        self._keeper = Keeper(ledger, limits, self.progress, deliver, self._end, self._release)

    async def run(self) -> None:
        """Return when every row has an outcome that is committed, or after `stop`.

        Raises:
            BatchError: the job ended early; see the subclasses.
        """
        put, outcomes = trio.open_memory_channel[Placed](GROUP_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keeper.run, outcomes)
            with put, self._asking:
                await self._ask_all(put)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Begin no more rows; `run` returns when those that run have their outcome. Never waits."""
        self._reading.cancel()
        self._desk.stop()
        self._gate.stop()

    async def _ask_all(self, put: trio.MemorySendChannel[Placed]) -> None:
        async with trio.open_nursery() as crew:
            crew.start_soon(self._read, put)
            await self._look_after(crew, put)

    # ---- reader

    async def _read(self, put: trio.MemorySendChannel[Placed]) -> None:
        async def take(place: int, row: Row) -> None:
            await self._window.acquire()
            if row.ask is None:
                await self._desk.room.wait()
                await put.send(self._placed(place, row, None))
            else:
                await self._desk.add(item_of(place, row))

        with self._ended_by_errors(), self._reading:
            await self._reader.run(take)
        self._desk.close()

    # ---- workers

    async def _work(self, put: trio.MemorySendChannel[Placed]) -> None:
        with self._ended_by_errors():
            while await self._work_once(put):
                pass

    async def _work_once(self, put: trio.MemorySendChannel[Placed]) -> bool:
        """One row; False if there are no more. A worker that waits holds none."""
        running, entry = await self._desk.next(), None
        if running is None:
            return False
        try:
            entry = await self._do(running, put)
        finally:
            self._desk.done(running, entry)
        return True

    async def _do(self, running: Running, put: trio.MemorySendChannel[Placed]) -> Entry | None:
        """Ask a row and hand over its outcome; None if the job stops before."""
        row = running.item.row
        self.progress.running += 1
        try:
            asked = await running.ask(self._asker)
        except (trio.Cancelled, BatchError):
            self.progress.cut_off += 1
            raise
        finally:
            self.progress.running -= 1
        if asked is None:
            self.progress.cut_off += 1
            return None
        placed = self._placed(running.item.place, row, asked)
        with trio.CancelScope(shield=True):  # the writer takes it, and outlasts all others
            await put.send(placed)
        return placed.outcome.entry

    def _placed(self, place: int, row: Row, asked: Asked | None) -> Placed:
        """The outcome of a row, which takes room until it is kept."""
        outcome = outcome_of(row, asked, self._shape(row, asked))
        self._desk.room.take(outcome.size_bytes)
        return Placed(place, outcome)

    async def _ask_again(self, running: Running) -> None:
        """Ask a row that is late a second time."""
        try:
            with self._ended_by_errors():
                await running.ask_again(self._asker)
        finally:
            self._desk.second_done(running)

    # ---- what is looked after meanwhile

    async def _look_after(self, crew: trio.Nursery, put: trio.MemorySendChannel[Placed]) -> None:
        """Follow the servers, with as many workers as there can be rows, until all is done."""
        learn_s = trio.current_time()
        async with trio.open_nursery() as learning:
            while not self._desk.is_ended:
                self._look()
                for _ in range(self._desk.workers - self._workers):
                    self._workers += 1
                    crew.start_soon(self._work, put)
                if (late := self._desk.late()) is not None:
                    crew.start_soon(self._ask_again, late)
                if self._servers and self._desk.models > 1 and trio.current_time() >= learn_s:
                    learn_s = trio.current_time() + LEARN_S
                    learning.start_soon(self._servers.learn_models)
                with trio.move_on_after(LOOK_S):
                    await self._desk.wait_news()
            learning.cancel_scope.cancel()

    def _look(self) -> None:
        """One look at everything."""
        self._watch()
        progress, since_s = self.progress, self._gate.since_s
        progress.waits_for = self._desk.look()
        progress.capacity, progress.hedged = self._desk.capacity, self._desk.hedged
        progress.waiting = self._gate.waiting
        if since_s is None:
            progress.down_since_s = None
        elif progress.down_since_s is None:
            progress.down_since_s = time.monotonic() - (trio.current_time() - since_s)

    def _release(self, kept: Sequence[Outcome]) -> None:
        """Make room for other rows."""
        self._desk.room.give_back(sum(each.size_bytes for each in kept))
        for _ in kept:
            self._window.release()

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """End the job with what is raised here."""
        try:
            yield
        except BatchError as error:
            self._end(error)

    def _end(self, failure: BatchError) -> None:
        """End the job, for its first reason."""
        self._failure = self._failure or failure
        self._asking.cancel()
