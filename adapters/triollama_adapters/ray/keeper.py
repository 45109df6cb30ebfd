"""Keeps one worker: makes it, has it open its engine, and replaces it when it dies.

Owns one of Ray's actors at a time. What the crew has to know it is told by calls: who joined, who
is lost, what is to be told to people, and what ends everything. When cancelled: the actor is
killed. Bounds: `IDLE_LIVES_MAX` workers in a row that die without an outcome.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import attrs
import trio

from triollama.auth.environment import KEY_VARIABLE
from triollama_adapters.batch.errors import BatchError
from triollama_adapters.ray.calls import result_of
from triollama_adapters.ray.errors import RayVersionError, WorkerLostError
from triollama_adapters.ray.fleet import Machine, RayFleet, machine_of, with_key
from triollama_adapters.ray.member import Member
from triollama_adapters.ray.rates import of_one_worker
from triollama_adapters.ray.worker import CALLS_MAX, Begin, Hello, Reached, Worker, own_version

__all__ = ["Employer", "Keeper", "Terms"]

BEGIN_S: Final = 45.0
"""How long a worker may take to open its engine and have the servers asked for their models."""

IDLE_LIVES_MAX: Final = 8
"""Workers in a row that die without an outcome before no other is made."""

FIRST_LIVES_MAX: Final = 2
"""The same before any worker was of use: then it is likely that what was asked for is wrong."""

PAUSE_S: Final = 0.5
"""Before the third worker of such a row; before each later one twice as long."""

PAUSE_S_MAX: Final = 30.0


@attrs.frozen(kw_only=True)
class Terms:
    """What is the same for all workers.

    Attributes:
        ray: Ray's module.
        fleet: where they run, and which servers they ask.
        count: how many there are.
        rows_max: rows that all of them ask at a time.
        tries: how often a row is asked before it has failed.
        outage_s_max: how long a worker's servers may not answer.
        tell: is given lines for people.
    """

    ray: Any
    fleet: RayFleet
    count: int
    rows_max: int
    tries: int
    outage_s_max: float
    tell: Callable[[str], None]


class Employer(Protocol):
    """Who the workers work for."""

    @property
    def has_begun(self) -> bool:
        """Whether any worker has joined yet."""

    def make_member(self, name: str, actor: Any) -> Member:
        """The half of a worker that is on our side."""

    def join(self, member: Member, machine: Machine, reached: Sequence[Reached]) -> None:
        """A worker is ready."""

    def leave(self, name: str, *, is_its_fault: bool) -> None:
        """A worker is lost; it need not have joined."""

    def fail(self, failure: BatchError) -> None:
        """Nothing can go on."""


class Keeper:
    """See the module.

    Args:
        number: which one it is, from 1.
        terms: what is the same for all.
        employer: who the worker works for.

    Attributes:
        why: how the last worker was lost, for people.
        is_serverless: whether that was because it reached none of its servers.
    """

    def __init__(self, number: int, terms: Terms, employer: Employer) -> None:
        self._number = number
        self._terms = terms
        self._employer = employer
        self.why = ""
        self.is_serverless = False

    async def run(self) -> None:
        """Return when no worker lives long enough to be of use."""
        idle_lives = life = 0
        while idle_lives < (IDLE_LIVES_MAX if self._employer.has_begun else FIRST_LIVES_MAX):
            life += 1
            finished = await self._live(f"{self._number}.{life}")
            idle_lives = 0 if finished else idle_lives + 1
            if idle_lives > 1:
                await trio.sleep(min(PAUSE_S_MAX, PAUSE_S * 2.0 ** (idle_lives - 2)))

    async def _live(self, name: str) -> int:
        """One worker, to its end; of how many rows it gave an outcome."""
        actor = self._make()
        member = self._employer.make_member(name, actor)
        where, rest, is_its_fault = "a machine", "", False
        try:
            hello = await self._greet(actor)
            member.pid = hello.pid
            machine = self._machine(hello)
            where = machine.name
            reached = await self._begin(actor, machine)
            self._employer.join(member, machine, reached)
            rest = "; others ask its rows"
            await member.run()
        except WorkerLostError as lost:
            self.why, is_its_fault = lost.why, lost.is_its_fault
            self.is_serverless = lost.is_serverless
        except BatchError as error:
            self.why = str(error)
            self._employer.fail(error)
            await trio.sleep_forever()
        finally:
            self._kill(actor)
            self._employer.leave(name, is_its_fault=is_its_fault)
        self._terms.tell(f"a worker on {where} is lost: {self.why}{rest}")
        return member.finished

    def _make(self) -> Any:
        actor = self._terms.ray.remote(Worker).options(
            num_cpus=self._terms.fleet.cpus_per_worker,
            max_concurrency=CALLS_MAX,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        return actor.remote()

    def _kill(self, actor: Any) -> None:
        ray = self._terms.ray
        with suppress(ray.exceptions.RayError, ValueError):  # it may be gone
            ray.kill(actor)

    async def _greet(self, actor: Any) -> Hello:
        hello: Hello = await result_of(actor.hello.remote())
        if hello.version != own_version():
            raise RayVersionError(
                f"a machine of the cluster has {hello.version}, and this one {own_version()}; "
                "they must be the same"
            )
        return hello

    def _machine(self, hello: Hello) -> Machine:
        for node in self._terms.ray.nodes():
            if node["NodeID"] == hello.machine:
                return machine_of(node)
        return Machine(hello.machine, ())

    async def _begin(self, actor: Any, machine: Machine) -> list[Reached]:
        terms = self._terms
        limits = of_one_worker(terms.fleet.config.limits, terms.count)
        begin = Begin(
            endpoints=tuple(
                with_key(each, os.environ.get(KEY_VARIABLE), rows_max=terms.rows_max)
                for each in terms.fleet.endpoints_of(machine)
            ),
            config=attrs.evolve(terms.fleet.config, limits=limits),
            concurrency=terms.rows_max,
            tries=terms.tries,
            outage_s_max=terms.outage_s_max,
        )
        reached: list[Reached] = await result_of(actor.begin.remote(begin), within_s=BEGIN_S)
        failures = [each for each in reached if each.models is None]
        if len(failures) == len(reached):
            raise WorkerLostError(
                f"it reaches no endpoint: {failures[0].error}", is_serverless=True
            )
        for each in failures:
            terms.tell(f"warning: on {machine.name}: {each.error}")
        return reached
