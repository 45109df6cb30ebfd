"""A worker: an engine in a process of Ray's, which asks the rows that the driver gives it.

Owns an engine and the rows that it was given and has not answered. It keeps nothing: whatever it
loses, the driver has.

Its methods are calls of the driver: `hello`, `begin` once, then `give` and `take`, one of each at a
time. When it is full: the driver gives no more than the worker's share, so it never is. When the
engine fails, `take` raises why. Bounds: the rows that it was given; `GROUP_MAX` outcomes and
`GROUP_BYTES_MAX` in one answer.
"""

from __future__ import annotations

import gc
import os
import platform
import queue
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Final

import attrs
import trio

from triollama import EndpointConfig, Engine, EngineConfig, TriollamaError, open_engine
from triollama_adapters.batch.errors import RowLeftError
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.ray.calls import ray_module
from triollama_adapters.ray.fleet import Endpoint
from triollama_adapters.ray.loop_thread import LoopThread
from triollama_adapters.ray.packing import pack, packable, size_of, unpack, unpack_ask
from triollama_adapters.ray.sight import Seen

__all__ = ["CALLS_MAX", "STOP", "TAKE_S", "Begin", "Hello", "Reached", "Worker", "own_version"]

GC_THRESHOLDS: Final = (20_000, 20, 20)
"""When to look for cycles: rows leave none, and what is there at the start stays. Python's own
values, for programs of any kind, cost 30 µs a row."""

CALLS_MAX: Final = 4
"""Calls at a time: one `take`, one `give`, and two to spare."""

STOP: Final = 0
"""No row's ticket."""

TAKE_S: Final = 10.0
"""How long `take` waits for an outcome; then it tells the driver only that the worker lives."""

GROUP_S: Final = 0.04
"""How long the first outcome of a group waits for others: a call costs both sides 0.6 ms, and the
rows that wait in the engine's line meanwhile keep the servers at work."""

GROUP_MAX: Final = 256
GROUP_BYTES_MAX: Final = 4 << 20

LOOK_S: Final = 0.25
"""Between two looks at the engine's servers, as a job does."""

LOOKS_PER_WATCH: Final = 4
"""Of them, one at rows that may make servers die; see `Asker.watch`."""

LIST_S: Final = 15.0
"""How long a server may take to list its models."""


@attrs.frozen
class Hello:
    """Who a worker is.

    Attributes:
        machine: Ray's id of the node that it runs on.
        pid: its process there.
        version: of triollama and Python.
    """

    machine: str
    pid: int
    version: str


@attrs.frozen(kw_only=True)
class Begin:
    """What a worker needs to know.

    Attributes:
        endpoints: the servers; none: those of its environment.
        config: of its engine.
        concurrency: requests at a time that one server may get, where it does not say.
        tries: how often a row is asked before it has failed.
        outage_s_max: how long its servers may not answer before the worker gives up.
    """

    endpoints: tuple[Endpoint, ...]
    config: EngineConfig
    concurrency: int
    tries: int
    outage_s_max: float


@attrs.frozen
class Reached:
    """What became of one server when a worker first asked it.

    Attributes:
        endpoint: its name.
        models: those that it has; None if it does not answer.
        error: why not; empty if it does.
    """

    endpoint: str
    models: tuple[str, ...] | None
    error: str = ""


def own_version() -> str:
    """What must be the same on both sides: answers are pickled."""
    return (
        f"triollama {version('triollama')}, Python {'.'.join(platform.python_version_tuple()[:2])}"
    )


class Worker:
    """The actor. Ray makes it, in a process of its own.

    None of its methods may be a coroutine function: Ray would then run all of them in one asyncio
    loop, where `take` holds up `give`.
    """

    def __init__(self) -> None:
        self._loop = LoopThread("triollama-worker")
        self._desk = _Desk(self._loop)
        self._rest: tuple[int, Asked | None] | None = None

        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    def hello(self) -> Hello:
        """Who it is."""
        return Hello(ray_module().get_runtime_context().get_node_id(), os.getpid(), own_version())

    def begin(self, begin: Begin) -> list[Reached]:
        """Open the engine.

        Returns:
            What each of the servers said.

        Raises:
            ConfigError: an address is not usable.
        """
        return self._loop.call(partial(self._desk.open, begin))

    def give(self, rows: bytes) -> None:
        """Ask rows, or no longer.

        Args:
            rows: pairs of a ticket and a row's content, None for one that is to be left. `STOP` as
                a ticket: rows that wait to be asked again are left, now and later.
        """
        if block := unpack(rows):
            with suppress(trio.RunFinishedError):  # `take` says why
                self._loop.soon(partial(self._desk.take, block))

    def take(self, rows: bytes) -> bytes:
        """Outcomes, or none if none came for `TAKE_S`.

        Args:
            rows: as of `give`, of which they need not be.

        Returns:
            A list of pairs: a ticket and an `Asked`, or None for a row that was left, see `give`;
            and what the engine sees of its servers.

        Raises:
            Exception: what ended the engine.
        """
        self.give(rows)
        group: list[tuple[int, Asked | None]] = []
        size = 0
        pair = self._rest or self._next(TAKE_S)
        self._rest = None
        if pair is not None:
            time.sleep(GROUP_S)
        while pair is not None:
            size += size_of(pair[1])
            if group and size > GROUP_BYTES_MAX:
                self._rest = pair
                break
            group.append(pair)
            pair = self._next(0.0) if len(group) < GROUP_MAX else None
        if not group and self._loop.failure is not None:
            raise _leaf(self._loop.failure)
        return pack((group, self._desk.seen))

    def _next(self, within_s: float) -> tuple[int, Asked | None] | None:
        try:
            return self._desk.outcomes.get(block=within_s > 0, timeout=within_s or None)
        except queue.Empty:
            return None


class _Desk:
    """What a worker does in its loop.

    Attributes:
        outcomes: of the rows that it was given.
        seen: what its engine sees of the servers.
    """

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._asker: Asker
        self._running: dict[int, trio.CancelScope] = {}
        self.seen = Seen((), ())
        self.outcomes: queue.SimpleQueue[tuple[int, Asked | None]] = queue.SimpleQueue()

    async def open(self, begin: Begin) -> list[Reached]:
        """Open the engine, which stays; what each of the servers said.

        Raises:
            ConfigError: an address is not usable.
        """
        failure: list[Exception] = []
        reached: list[Reached] = []
        is_open = trio.Event()

        async def hold() -> None:
            try:
                await self._hold(begin, reached, is_open)
            except Exception as error:
                if is_open.is_set():
                    raise
                failure.append(error)
                is_open.set()

        self._loop.begin(hold)
        await is_open.wait()
        if failure:
            raise failure[0]
        return reached

    def take(self, block: Iterable[tuple[int, bytes | None]]) -> None:
        """Ask rows, or no longer; see `Worker.give`."""
        for ticket, content in block:
            if ticket == STOP:
                self._asker.gate.stop()
            elif content is not None:
                scope = self._running[ticket] = trio.CancelScope()
                self._loop.begin(self._ask, ticket, content, scope)
            elif ticket in self._running:
                self._running[ticket].cancel()

    async def _hold(self, begin: Begin, reached: list[Reached], is_open: trio.Event) -> None:
        endpoints = [
            EndpointConfig(each, max_in_flight=begin.concurrency) if isinstance(each, str) else each
            for each in begin.endpoints
        ]
        async with open_engine(*endpoints, config=begin.config) as engine:
            self._asker = Asker(engine, tries_max=begin.tries)
            self._asker.gate.give_up_s = begin.outage_s_max
            async with trio.open_nursery() as nursery:
                for name in engine.endpoints:
                    nursery.start_soon(_look, engine, name, reached)
                nursery.start_soon(self._asker.servers.learn_models)
            is_open.set()
            looked = 0
            while True:
                self.seen = self._see(engine)
                await trio.sleep(LOOK_S)
                looked += 1
                if looked % LOOKS_PER_WATCH == 0:
                    self._asker.watch()

    def _see(self, engine: Engine) -> Seen:
        in_flight = {each.name: each.in_flight for each in engine.statistics().endpoints}
        looks = tuple(self._asker.servers.look())
        return Seen(looks, tuple(in_flight.get(each.name, 0) for each in looks))

    async def _ask(self, ticket: int, content: bytes, scope: trio.CancelScope) -> None:
        with scope:
            try:
                asked = await self._asker.ask(unpack_ask(content))
                self.outcomes.put((ticket, packable(asked)))
            except RowLeftError:
                self.outcomes.put((ticket, None))
            finally:
                del self._running[ticket]


async def _look(engine: Engine, name: str, reached: list[Reached]) -> None:
    """Ask a server for its models."""
    try:
        with trio.fail_after(LIST_S):
            tags = await engine.tags(endpoint=name)
    except trio.TooSlowError:
        reached.append(Reached(name, None, f"no answer within {LIST_S:g} s"))
    except TriollamaError as error:
        reached.append(Reached(name, None, str(error)))
    else:
        reached.append(Reached(name, tuple(model.name for model in tags.models)))


def _leaf(error: BaseException) -> BaseException:
    """What was raised first, of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
