"""One and the same load, read through more and more of the engine: what each layer adds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import attrs
import trio

from benchmarks.measure import Tally
from benchmarks.plan import MODEL, PROMPT, Plan
from benchmarks.trials.bare_wire import Handover, Sink, Wire, open_wire
from triollama import EndpointConfig, Engine, EngineConfig, RateLimit, open_engine

CALLER = "benchmark"

SCOPES = ("engine", "endpoint", "model", "caller")

FACTS_MAX = 100_000
"""What the subscriber may have waiting: it reads one per turn of the loop, in
which many requests are made."""


@attrs.define
class Seen:
    """What shows that a layer was at work.

    Attributes:
        accepted: Requests that the engine took on.
        limited: Requests that the limiter let through.
        facts: Facts that the subscriber read.
        dropped: Facts that it missed.
    """

    accepted: int = 0
    limited: int = 0
    facts: int = 0
    dropped: int = 0


@attrs.frozen
class WireLayer:
    """The wire alone.

    Attributes:
        wakes: Whether a reader is woken per chunk; else chunks are counted where they are decoded.
    """

    wakes: bool = False

    async def chunks(self, plan: Plan, tally: Tally) -> None:
        """Hold streams open, each pumped by one task, and read by another if it is to be woken."""
        async with open_wire(plan) as wire:
            await _start(plan.streams, _pump_to_reader if self.wakes else _pump, wire, tally)

    async def requests(self, plan: Plan, tally: Tally) -> None:
        """Keep one-line requests in flight from as many tasks."""
        async with open_wire(plan) as wire:
            await _start(plan.in_flight, _ask_wire, wire, tally)

    def faults(self) -> list[str]:
        """Nothing: what it received is counted."""
        return []


@attrs.frozen
class EngineLayer:
    """An engine, with some of what it can do.

    Attributes:
        has_limits: Whether requests are limited.
        on_break: What would become of an answer that breaks.
        is_heard: Whether somebody subscribes to all facts.
        seen: What shows that all this was so.
    """

    has_limits: bool = False
    on_break: Literal["continue", "raise"] = "raise"
    is_heard: bool = False
    seen: Seen = attrs.field(factory=Seen)

    async def chunks(self, plan: Plan, tally: Tally) -> None:
        """Hold streams open, one reader task each that is woken per chunk."""
        async with self._open(plan) as engine:
            await _start(plan.streams, self._read, engine, tally)

    async def requests(self, plan: Plan, tally: Tally) -> None:
        """Keep one-line requests in flight from as many tasks."""
        async with self._open(plan) as engine:
            await _start(plan.in_flight, self._ask, engine, tally)

    def faults(self) -> list[str]:
        """Return what shows that it was not what it is called; empty when nothing does."""
        seen, faults = self.seen, []
        if seen.limited != (seen.accepted if self.has_limits else 0):
            faults.append(f"{seen.limited} of {seen.accepted} requests were limited")
        if self.is_heard and (seen.dropped or seen.facts < seen.accepted):
            faults.append(f"{seen.facts} facts were heard, {seen.dropped} missed")
        return faults

    @asynccontextmanager
    async def _open(self, plan: Plan) -> AsyncIterator[Engine]:
        room = plan.streams or plan.in_flight
        endpoint = EndpointConfig(plan.url, max_in_flight=room, num_parallel=room)
        # High enough that nobody waits.
        limits = [RateLimit(each, requests_per_s=1e6, tokens_per_min=1e11) for each in SCOPES]
        config = EngineConfig(limits=limits if self.has_limits else ())
        async with open_engine(endpoint, config=config) as engine, trio.open_nursery() as nursery:
            if self.is_heard:
                await nursery.start(_listen, engine, self.seen)
            try:
                yield engine
            finally:
                numbers = engine.statistics()
                self.seen.accepted = numbers.accepted
                self.seen.limited = numbers.limits.granted if numbers.limits.limits else 0
                self.seen.dropped = numbers.facts.dropped

    async def _read(self, engine: Engine, tally: Tally) -> None:
        is_open = False
        async with engine.stream_chat(
            MODEL, PROMPT, on_break=self.on_break, caller=CALLER
        ) as stream:
            async for chunk in stream:
                tally.characters += len(chunk.content)
                tally.count += 1
                if not is_open:
                    is_open = True
                    tally.open += 1

    async def _ask(self, engine: Engine, tally: Tally) -> None:
        tally.open += 1
        while True:
            answer = await engine.chat(MODEL, PROMPT, on_break=self.on_break, caller=CALLER)
            tally.characters += len(answer.content)
            tally.count += 1


def layers() -> dict[str, WireLayer | EngineLayer]:
    """Return the layers from the bottom up; each is the one before it and one thing more."""
    return {
        "wire": WireLayer(),
        "reader": WireLayer(wakes=True),
        "pool": EngineLayer(),
        "limiter": EngineLayer(has_limits=True),
        "continue": EngineLayer(has_limits=True, on_break="continue"),
        "telemetry": EngineLayer(has_limits=True, on_break="continue", is_heard=True),
    }


async def _start(count: int, reader: Callable[..., Awaitable[None]], *given: object) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(reader, *given)


async def _pump(wire: Wire, tally: Tally) -> None:
    await wire.pump(Sink(tally))


async def _pump_to_reader(wire: Wire, tally: Tally) -> None:
    sink = Handover(tally)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.pump, sink)
        while True:
            chunk = await sink.next()
            tally.characters += len(chunk.content)
            tally.count += 1


async def _ask_wire(wire: Wire, tally: Tally) -> None:
    while True:
        await wire.pump(Sink(tally))


async def _listen(
    engine: Engine, seen: Seen, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with engine.subscribe(capacity=FACTS_MAX) as facts:
        task_status.started()
        async for _ in facts:
            seen.facts += 1
