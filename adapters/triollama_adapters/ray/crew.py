"""All workers of one batch: asks rows as one engine would, whichever worker dies.

Owns the rows that were asked for and have no outcome, the workers that hold them, and one keeper
for each worker, which replaces it when it dies. To the job it is what an `Asker` is.

When a worker dies: see `board`. When no keeper is left, or no worker is there for `START_S`, every
row that is asked raises why, which ends the job. When cancelled: the workers are killed; nothing
that was committed is theirs. Bounds: the rows of the job's concurrency; `RayFleet.workers` workers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from triollama import TriollamaError
from triollama.api import name_key
from triollama_adapters.batch.block import open_background
from triollama_adapters.batch.errors import BatchError, RowLeftError
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.outage import OUTAGE_S_MAX
from triollama_adapters.ray.board import Board
from triollama_adapters.ray.errors import RayServersError, RayWorkersError, RowKillsWorkersError
from triollama_adapters.ray.fleet import LOCAL, Machine, RayFleet
from triollama_adapters.ray.keeper import Keeper, Terms
from triollama_adapters.ray.member import Member
from triollama_adapters.ray.packing import pack_ask
from triollama_adapters.ray.rates import Rates
from triollama_adapters.ray.session import LOCAL_WORKERS, open_session
from triollama_adapters.ray.sight import Looks, Seen, room_of
from triollama_adapters.ray.worker import Reached

__all__ = ["Crew", "WorkerStatistics", "open_crew"]

START_S: Final = 60.0
"""How long there may be no worker at all: a process of Ray's takes a second, a machine that joins
longer."""

LOOK_S: Final = 0.5


@attrs.frozen
class WorkerStatistics:
    """One worker.

    Attributes:
        machine: where it runs.
        pid: its process there.
        running: rows that it holds.
        finished: rows of which it gave an outcome.
    """

    machine: str
    pid: int
    running: int
    finished: int


@attrs.define(eq=False)
class _Slot:
    """Where the outcome of a row comes."""

    is_done: trio.Event = attrs.field(factory=trio.Event)
    asked: Asked | None = None
    is_left: bool = False


class _Gate(Gate):
    """The job's gate: it is stopped with those of all workers, where rows wait."""

    def __init__(self, stop_workers: Callable[[], None]) -> None:
        super().__init__()
        self._stop_workers = stop_workers

    def stop(self) -> None:
        """See `Gate.stop`."""
        super().stop()
        self._stop_workers()


class Crew:
    """The workers. Made by `open_crew`.

    Attributes:
        gate: of the job; when it is stopped, rows that wait at a worker to be asked again are left.
        servers: what the workers see of their servers, for a job that follows them.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._board = Board(terms.rows_max)
        self._rates = Rates(terms.fleet.config.limits)
        self._news = trio.lowlevel.ParkingLot()
        self._slots: dict[int, _Slot] = {}
        self._members: dict[str, tuple[Member, Machine]] = {}
        self._models: dict[str, None] = {}
        self._is_changed = trio.Event()
        self._is_stopped = False
        self._has_begun = False
        self._failure: BatchError | None = None
        self.gate: Gate = _Gate(self._stop)
        self.servers = Looks()

    @property
    def models(self) -> list[str]:
        """Every model that a worker has found at its servers so far."""
        return list(self._models)

    def statistics(self) -> list[WorkerStatistics]:
        """The workers that there are."""
        return [
            WorkerStatistics(machine.name, member.pid, self._board.held_by(name), member.finished)
            for name, (member, machine) in self._members.items()
        ]

    def watch(self) -> None:
        """Nothing: each worker watches its own rows, see `Asker.watch`."""

    async def wait_ready(self, count: int | None = None, *, within_s: float = START_S) -> int:
        """Wait until there are workers; how many there are.

        Args:
            count: so many are enough; None: all.
            within_s: how long; then, however many there are.

        Raises:
            RayError: there will be none.
        """
        enough = self._terms.count if count is None else min(count, self._terms.count)
        with trio.move_on_after(within_s):
            while len(self._members) < enough and self._failure is None:
                await self._is_changed.wait()
        self._check()
        return len(self._members)

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row. If cancelled, the worker that has it is told to leave it.

        Raises:
            RayError: no worker can be had any more.
            RowLeftError: the job stops, while the row waited to be asked again.
        """
        content = pack_ask(ask)
        try:
            reservation = await self._rates.wait(ask, len(content))
        except TriollamaError as error:
            return Asked(None, error, None, 1)
        asked = None
        try:
            asked = await self._ask(content, name_key(ask.model))
        finally:
            self._rates.settle(reservation, asked)
        return asked

    async def _ask(self, content: bytes, model: str) -> Asked:
        self._check()
        held = self._board.add(content, model)
        slot = self._slots[held.ticket] = _Slot()
        self._news.unpark_all()
        try:
            await slot.is_done.wait()
        finally:
            del self._slots[held.ticket]
            if slot.asked is None and (worker := self._board.drop(held)) in self._members:
                self._members[worker][0].dropped.append(held.ticket)
                self._news.unpark_all()
        if slot.is_left:
            raise RowLeftError
        if slot.asked is None:
            self._check()
        assert slot.asked is not None
        return slot.asked

    # ---- for the keepers

    @property
    def has_begun(self) -> bool:
        """See `Employer`."""
        return self._has_begun

    def make_member(self, name: str, actor: Any) -> Member:
        """See `Employer`."""
        return Member(name, actor, self._board, self._news, self._settle, self._see)

    def join(self, member: Member, machine: Machine, reached: Sequence[Reached]) -> None:
        """See `Employer`."""
        self._has_begun = True
        models = [model for each in reached for model in each.models or ()]
        self._models |= dict.fromkeys(models)
        # One that did not answer may have any.
        is_known = all(each.models is not None for each in reached)
        self._board.join(member.name, frozenset(map(name_key, models)) if is_known else None)
        self._members[member.name] = (member, machine)
        if self._is_stopped:
            member.stop()
        self._change()

    def leave(self, name: str, *, is_its_fault: bool) -> None:
        """See `Employer`."""
        self._members.pop(name, None)
        self.servers.forget(name)
        for held in self._board.leave(name, is_its_fault=is_its_fault):
            error = RowKillsWorkersError(held.losses)
            self._settle(held.ticket, Asked(None, error, None, held.losses))
        self._change()

    def fail(self, failure: BatchError) -> None:
        """No row can be asked any more."""
        self._failure = self._failure or failure
        for slot in list(self._slots.values()):
            slot.is_done.set()
        self._change()

    def _see(self, name: str, seen: Seen) -> None:
        if name in self._members and seen.looks:
            self.servers.take(name, seen)
            self._board.set_room(name, room_of(seen))

    def _settle(self, ticket: int, asked: Asked | None) -> None:
        if (slot := self._slots.get(ticket)) is not None:
            slot.asked, slot.is_left = asked, asked is None
            slot.is_done.set()

    def _stop(self) -> None:
        self._is_stopped = True
        for member, _ in self._members.values():
            member.stop()
        self._news.unpark_all()

    def _change(self) -> None:
        self._is_changed.set()
        self._is_changed = trio.Event()
        self._news.unpark_all()

    def _check(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    # ---- the workers

    async def run(self) -> None:
        """Keep the workers until this is cancelled."""
        keepers = [Keeper(number + 1, self._terms, self) for number in range(self._terms.count)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            async with trio.open_nursery() as keeping:
                for keeper in keepers:
                    keeping.start_soon(keeper.run)
            is_servers = all(each.is_serverless for each in keepers)
            made = RayServersError if is_servers else RayWorkersError
            self.fail(made(f"no worker can be kept; the last one: {keepers[-1].why}"))

    async def _watch(self) -> None:
        """Give up when there is no worker for too long."""
        without_s = 0.0
        while without_s < START_S:
            await trio.sleep(LOOK_S)
            without_s = 0.0 if self._members else without_s + LOOK_S
        terms = self._terms
        free = terms.ray.available_resources().get("CPU", 0.0)
        self.fail(
            RayWorkersError(
                f"there is no worker for {START_S:g} s; the cluster has {free:g} CPUs free, and "
                f"each of {terms.count} workers needs {terms.fleet.cpus_per_worker:g}"
            )
        )


def _quiet(_: str) -> None:
    """Tell nobody."""


@asynccontextmanager
async def open_crew(
    fleet: RayFleet,
    *,
    rows_max: int,
    tries: int = 5,
    outage_s_max: float = OUTAGE_S_MAX,
    tell: Callable[[str], None] = _quiet,
) -> AsyncIterator[Crew]:
    """Workers on a cluster, for the time of a block; at its end they are killed.

    Args:
        fleet: where, and which servers they ask.
        rows_max: rows that all of them ask at a time.
        tries: how often a row is asked before it has failed.
        outage_s_max: how long the servers of a worker may not answer before it is given up.
        tell: is given a line for people when a worker is lost, or a server does not answer.

    Yields:
        The crew, of which at least one worker is ready.

    Raises:
        RayError: the cluster cannot be used; see the subclasses.
        ChoiceError: an address means nothing, or a machine has no server.
    """
    async with open_session(fleet) as ray, open_background() as nursery:
        terms = Terms(
            ray=ray,
            fleet=fleet,
            count=fleet.workers or _default_workers(ray, fleet),
            rows_max=rows_max,
            tries=tries,
            outage_s_max=outage_s_max,
            tell=tell,
        )
        crew = Crew(terms)
        nursery.start_soon(crew.run)
        await crew.wait_ready(1)
        yield crew


def _default_workers(ray: Any, fleet: RayFleet) -> int:
    if fleet.address == LOCAL:
        return LOCAL_WORKERS
    able = [
        node
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0.0) >= fleet.cpus_per_worker
    ]
    return max(1, len(able))
