"""A worker of a load test, whatever carries its messages: `worker` has pipes, `ray_machines` Ray.

Owns one process's share of the load. Orders come through a channel: `Begin`, then `Go`, and perhaps
`Stop`; news leave through a callback: `Ready`, `Progressed` and `Sampled`, and at last `Tallied` or
`Died`. When the orders end, whoever wanted the load is gone: all is dropped at once.
Bounds: `SAMPLES_MAX` samples in one message, which wait for `FLUSH_S` at most.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
import trio

from triollama_adapters.loadtest.errors import LoadTestError, PlanError, TargetError
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.frames import (
    Begin,
    Died,
    Go,
    News,
    Order,
    Progressed,
    Ready,
    Sampled,
    Stop,
    Tallied,
)
from triollama_adapters.loadtest.running.generate import generate
from triollama_adapters.loadtest.running.links import own_version
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["Load", "work"]

SAMPLES_MAX: Final = 1_000
"""A sample of a long answer is 10 kB with all its gaps."""

FLUSH_S: Final = 0.25


class Load(Protocol):
    """What `generate` is."""

    async def __call__(
        self,
        plan: Plan,
        tally: Tally,
        clock: RunClock,
        *,
        facts: Facts,
        process: int,
        go: Callable[[], Awaitable[int]],
        on_progress: Callable[[Progress], None],
        sink: SampleSink | None,
        stop: trio.Event,
    ) -> None:
        """See `generate`."""


async def work(
    orders: trio.MemoryReceiveChannel[Order],
    say: Callable[[News], None],
    *,
    load: Load = generate,
) -> None:
    """Do one process's share of a run; return when the last news is told, or nobody wants any.

    Args:
        orders: what to do; its end cancels everything.
        say: tells news; must not wait.
        load: makes the load.
    """
    try:
        begin = await orders.receive()
    except trio.EndOfChannel:
        return
    assert isinstance(begin, Begin), "the first order"
    try:
        plan = msgspec.json.decode(begin.plan, type=Plan)
        await _Hand(plan, begin, say).run(orders, load)
    except* Exception as group:  # noqa: BLE001 - told to the parent
        if not isinstance(_leaf(group), LoadTestError):
            traceback.print_exception(group)  # ours, for who looks at what workers print
        say(_died(_leaf(group)))


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _died(error: BaseException) -> Died:
    text = " ".join(str(error).split())
    if isinstance(error, PlanError | TargetError):
        return Died(text, "plan" if isinstance(error, PlanError) else "target")
    return Died(text if isinstance(error, LoadTestError) else f"{type(error).__name__}: {text}")


class _Hand:
    """See the module; `add` makes it a `SampleSink`."""

    def __init__(self, plan: Plan, begin: Begin, say: Callable[[News], None]) -> None:
        self._plan = plan
        self._begin = begin
        self._say = say
        self._clock = RunClock()
        self._go = trio.Event()
        self._stop = trio.Event()
        self._start_ns = 0
        self._samples: list[Sample] = []

    async def run(self, orders: trio.MemoryReceiveChannel[Order], load: Load) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._obey, orders, nursery.cancel_scope)
            if self._begin.with_samples:
                nursery.start_soon(self._flush_often)
            await self._load(load)
            nursery.cancel_scope.cancel()

    async def _load(self, load: Load) -> None:
        begin = self._begin
        tally = Tally(self._plan, begin.facts.baselines())
        await load(
            self._plan,
            tally,
            self._clock,
            facts=begin.facts,
            process=begin.process,
            go=self._wait_go,
            on_progress=lambda progress: self._say(Progressed(progress)),
            sink=self if begin.with_samples else None,
            stop=self._stop,
        )
        self._flush()
        self._say(Tallied(tally.encode()))

    async def _wait_go(self) -> int:
        self._say(Ready(os.getpid(), own_version()))
        await self._go.wait()
        return self._start_ns

    async def _obey(
        self, orders: trio.MemoryReceiveChannel[Order], everything: trio.CancelScope
    ) -> None:
        async for order in orders:
            match order:
                case Go(start_ns):
                    self._start_ns = start_ns
                    self._go.set()
                case Stop():
                    self._stop.set()
        everything.cancel()

    # ---- samples

    def add(self, sample: Sample) -> None:
        """Take a sample; see `SampleSink`."""
        self._samples.append(sample)
        if len(self._samples) >= SAMPLES_MAX:
            self._flush()

    def _flush(self) -> None:
        if self._samples:
            samples, self._samples = self._samples, []
            self._say(Sampled(samples))

    async def _flush_often(self) -> None:
        while True:
            await trio.sleep(FLUSH_S)
            self._flush()
