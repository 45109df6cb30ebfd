"""All workers of one batch: asks rows as one engine would, whichever worker dies.

Owns the rows that were asked for and have no outcome, the workers that hold them, and one keeper
for each worker, which replaces it when it dies. To the job it is what an `Asker` is.

When a worker dies: see `board`. When it dies again and again without any outcome: its keeper gives
up; when no keeper is left, or no worker is there for `START_S`, every row that is asked raises why,
which ends the job. When cancelled: the workers are killed; nothing that was committed is theirs.
Bounds: the rows of the job's concurrency; `RayFleet.workers` workers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import attrs
import trio

from triollama import TriollamaError
from triollama_adapters.batch.errors import BatchError, RowLeftError
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.outage import OUTAGE_S_MAX
from triollama_adapters.ray.board import Board
from triollama_adapters.ray.calls import result_of
from triollama_adapters.ray.errors import (
    RayVersionError,
    RayWorkersError,
    RowKillsWorkersError,
    WorkerLostError,
)
from triollama_adapters.ray.fleet import LOCAL, Machine, RayFleet, machine_of
from triollama_adapters.ray.member import Member
from triollama_adapters.ray.packing import pack_ask
from triollama_adapters.ray.rates import Rates, of_one_worker
from triollama_adapters.ray.session import LOCAL_WORKERS, open_session
from triollama_adapters.ray.worker import CALLS_MAX, Begin, Hello, Reached, Worker, own_version

__all__ = ["Crew", "WorkerStatistics", "open_crew"]

START_S: Final = 60.0
"""How long there may be no worker at all: a process of Ray's takes a second, a machine that joins
longer."""

BEGIN_S: Final = 45.0
"""How long a worker may take to open its engine and have the servers asked for their models."""

IDLE_LIVES_MAX: Final = 8
"""Workers in a row that die without an outcome before their keeper gives up."""

PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 30.0

LOOK_S: Final = 0.5

Tell = Callable[[str], None]


@attrs.frozen
class WorkerStatistics:
    """One worker.

    Attributes:
        machine: where it runs.
        running: rows that it holds.
        finished: rows of which it gave an outcome.
    """

    machine: str
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


def _quiet(_: str) -> None:
    """Tell nobody."""


class Crew:
    """The workers. Made by `open_crew`.

    Attributes:
        gate: of the job; when it is stopped, rows that wait at a worker to be asked again are left.
    """

    def __init__(
        self,
        ray: Any,
        fleet: RayFleet,
        *,
        concurrency: int,
        tries: int,
        outage_s_max: float,
        tell: Tell,
    ) -> None:
        self._ray = ray
        self._fleet = fleet
        self._concurrency = concurrency
        self._tries = tries
        self._outage_s_max = outage_s_max
        self._tell = tell
        self._count = fleet.workers or _default_workers(ray, fleet)
        self._board = Board(concurrency)
        self._rates = Rates(fleet.config.limits)
        self._news = trio.lowlevel.ParkingLot()
        self._slots: dict[int, _Slot] = {}
        self._members: dict[str, tuple[Member, Machine]] = {}
        self._models: dict[str, None] = {}
        self._is_changed = trio.Event()
        self._keepers = 0
        self._failure: BatchError | None = None
        self._is_stopped = False
        self.gate: Gate = _Gate(self._stop)

    @property
    def models(self) -> list[str]:
        """Every model that a worker has found at its servers so far."""
        return list(self._models)

    def statistics(self) -> list[WorkerStatistics]:
        """The workers that there are."""
        return [
            WorkerStatistics(machine.name, self._board.held_by(name), member.finished)
            for name, (member, machine) in self._members.items()
        ]

    async def wait_ready(self, count: int | None = None, *, within_s: float = START_S) -> int:
        """Wait until there are workers; how many there are.

        Args:
            count: so many are enough; None: all.
            within_s: how long; then, however many there are.

        Raises:
            RayError: there will be none.
        """
        enough = self._count if count is None else min(count, self._count)
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
            asked = await self._ask(content)
        finally:
            self._rates.settle(reservation, asked)
        return asked

    async def _ask(self, content: bytes) -> Asked:
        self._check()
        held = self._board.add(content)
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

    # ---- workers

    async def run(self) -> None:
        """Keep the workers until this is cancelled."""
        async with trio.open_nursery() as nursery:
            for number in range(self._count):
                self._keepers += 1
                nursery.start_soon(self._keep, number)
            nursery.start_soon(self._watch)

    def _stop(self) -> None:
        self._is_stopped = True
        for member, _ in self._members.values():
            member.stop()
        self._news.unpark_all()

    async def _keep(self, number: int) -> None:
        """One worker after the other."""
        idle_lives = life = 0
        why = ""
        while idle_lives < IDLE_LIVES_MAX and self._failure is None:
            life += 1
            finished, why = await self._live(f"{number + 1}.{life}")
            idle_lives = 0 if finished else idle_lives + 1
            if idle_lives > 1:
                await trio.sleep(min(PAUSE_S_MAX, PAUSE_S * 2.0 ** (idle_lives - 2)))
        self._keepers -= 1
        if not self._keepers:
            self._fail(RayWorkersError(f"no worker can be kept, the last one is gone: {why}"))

    async def _live(self, name: str) -> tuple[int, str]:
        """One worker, to its end; of how many rows it gave an outcome, and why it is lost."""
        actor = self._make()
        machine: Machine | None = None
        is_its_fault = False
        try:
            machine = self._machine(await self._greet(actor))
            reached = await self._begin(actor, machine)
            await self._work(
                Member(name, actor, self._board, self._news, self._settle), machine, reached
            )
        except WorkerLostError as lost:
            why, is_its_fault = lost.why, lost.is_its_fault
        except BatchError as error:
            why = str(error)
            self._fail(error)
        finally:
            self._kill(actor)
            member = self._members.pop(name, None)
            finished = member[0].finished if member is not None else 0
            self._lose(name, is_its_fault=is_its_fault)
        where = machine.name if machine is not None else "a machine"
        self._tell(f"a worker on {where} is lost: {why}; others ask its rows")
        return finished, why

    async def _greet(self, actor: Any) -> Hello:
        hello: Hello = await result_of(actor.hello.remote())
        if hello.version != own_version():
            raise RayVersionError(
                f"a machine of the cluster has {hello.version}, and this one {own_version()}; "
                "they must be the same"
            )
        return hello

    async def _begin(self, actor: Any, machine: Machine) -> list[Reached]:
        limits = of_one_worker(self._fleet.config.limits, self._count)
        begin = Begin(
            endpoints=self._fleet.endpoints_of(machine),
            config=attrs.evolve(self._fleet.config, limits=limits),
            concurrency=self._concurrency,
            tries=self._tries,
            outage_s_max=self._outage_s_max,
        )
        reached: list[Reached] = await result_of(actor.begin.remote(begin), within_s=BEGIN_S)
        failures = [each for each in reached if each.models is None]
        if len(failures) == len(reached):
            raise WorkerLostError(f"it reaches no endpoint: {failures[0].error}")
        for each in failures:
            self._tell(f"warning: on {machine.name}: {each.error}")
        return reached

    async def _work(self, member: Member, machine: Machine, reached: Sequence[Reached]) -> None:
        self._models |= dict.fromkeys(model for each in reached for model in each.models or ())
        self._board.join(member.name)
        self._members[member.name] = (member, machine)
        if self._is_stopped:
            member.stop()
        self._change()
        await member.run()

    def _make(self) -> Any:
        actor = self._ray.remote(Worker).options(
            num_cpus=self._fleet.cpus_per_worker,
            max_concurrency=CALLS_MAX,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        return actor.remote()

    def _kill(self, actor: Any) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):  # it may be gone
            self._ray.kill(actor)

    def _machine(self, hello: Hello) -> Machine:
        for node in self._ray.nodes():
            if node["NodeID"] == hello.machine:
                return machine_of(node)
        return Machine(hello.machine, ())

    def _lose(self, name: str, *, is_its_fault: bool) -> None:
        """Give the rows of a lost worker to others."""
        for held in self._board.leave(name, is_its_fault=is_its_fault):
            error = RowKillsWorkersError(held.losses)
            self._settle(held.ticket, Asked(None, error, None, held.losses))
        self._change()

    def _settle(self, ticket: int, asked: Asked | None) -> None:
        if (slot := self._slots.get(ticket)) is not None:
            slot.asked, slot.is_left = asked, asked is None
            slot.is_done.set()

    def _change(self) -> None:
        self._is_changed.set()
        self._is_changed = trio.Event()
        self._news.unpark_all()

    # ---- the end

    async def _watch(self) -> None:
        """Give up when there is no worker for too long."""
        without_s = 0.0
        while without_s < START_S:
            await trio.sleep(LOOK_S)
            without_s = 0.0 if self._members else without_s + LOOK_S
        free = self._ray.available_resources().get("CPU", 0.0)
        self._fail(
            RayWorkersError(
                f"there is no worker for {START_S:g} s; the cluster has {free:g} CPUs free, and "
                f"each of {self._count} workers needs {self._fleet.cpus_per_worker:g}"
            )
        )

    def _check(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))

    def _fail(self, failure: BatchError) -> None:
        """No row can be asked any more."""
        self._failure = self._failure or failure
        for slot in list(self._slots.values()):
            slot.is_done.set()
        self._change()


@asynccontextmanager
async def open_crew(
    fleet: RayFleet,
    *,
    concurrency: int,
    tries: int = 5,
    outage_s_max: float = OUTAGE_S_MAX,
    tell: Tell = _quiet,
) -> AsyncIterator[Crew]:
    """Workers on a cluster, for the time of a block; at its end they are killed.

    Args:
        fleet: where, and which servers they ask.
        concurrency: rows that all of them ask at a time.
        tries: how often a row is asked before it has failed.
        outage_s_max: how long the servers of a worker may not answer before it is given up.
        tell: is given a line for people when a worker is lost, or a server does not answer.

    Yields:
        The crew, of which at least one worker is ready.

    Raises:
        RayError: the cluster cannot be used; see the subclasses.
        ChoiceError: an address means nothing, or a machine has no server.
    """
    async with open_session(fleet) as ray, trio.open_nursery() as nursery:
        crew = Crew(
            ray,
            fleet,
            concurrency=concurrency,
            tries=tries,
            outage_s_max=outage_s_max,
            tell=tell,
        )
        nursery.start_soon(crew.run)
        try:
            await crew.wait_ready(1)
            yield crew
        finally:
            nursery.cancel_scope.cancel()


def _default_workers(ray: Any, fleet: RayFleet) -> int:
    if fleet.address == LOCAL:
        return LOCAL_WORKERS
    able = [
        node
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0.0) >= fleet.cpus_per_worker
    ]
    return max(1, len(able))
