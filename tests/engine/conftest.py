"""What tests of the engine share: simulated fleets, and a way to cancel at each await."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from triollama import Engine, EngineConfig, ProbeConfig, open_engine
from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatedFleet,
    SimulatorConfig,
    open_fleet,
)

A, B, C = "http://a:11434", "http://b:11434", "http://c:11434"

CALM: dict[str, Any] = {
    "load_s": 0.0,
    "jitter": 0.0,
    "prefill_tokens_per_s": 1e6,
    "decode_tokens_per_s": 10.0,
    "answer_tokens_min": 20,
    "answer_tokens_max": 20,
}
"""A server whose answers of 20 tokens take 2 s, as evenly as can be."""


@attrs.define
class Lab:
    """An engine over a simulated fleet."""

    engine: Engine
    fleet: SimulatedFleet

    def fault(
        self, url: str, kind: str, *, rule: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Put one fault in force on a server."""
        made: Any = Fault(kind=kind, **more)  # type: ignore[arg-type]  # tests name kinds as text
        self.fleet.set_faults(url, FaultRule(fault=made, **(rule or {})))

    def served(self, url: str) -> int:
        """Answers that a server has begun."""
        return self.fleet.simulator(url).statistics().generations_started

    def asked(self, url: str, route: str = "/api/chat") -> int:
        """Requests that a server has had."""
        return self.fleet.simulator(url).statistics().routes.get(route, 0)

    def check_baseline(self) -> None:
        """Nothing is held here, and nothing is under way on the servers."""
        now = self.engine.statistics()
        assert (now.waiting, now.running) == (0, 0), now
        assert now.accepted == now.done + now.failed + now.cancelled, now
        assert [endpoint.in_flight for endpoint in now.endpoints] == [0] * len(now.endpoints)
        runtime = self.engine._runtime
        assert runtime.pool.statistics().waiting == 0
        assert not runtime.streams._workers
        for url in self.fleet.urls:
            state = self.fleet.simulator(url).statistics()
            assert (state.in_flight, state.connections) == (0, 0), (url, state)


OpenLab = Callable[..., AbstractAsyncContextManager[Lab]]


@pytest.fixture
def open_lab() -> OpenLab:
    """Open an engine over simulated servers in memory; two of them, calm, unless said otherwise.

    Nothing is left to chance: of equal endpoints the first is taken, and nobody probes.
    """

    @asynccontextmanager
    async def open_(
        *urls: str,
        servers: dict[str, SimulatorConfig] | None = None,
        config: EngineConfig | None = None,
        split_seed: int | None = None,
        **calm: Any,
    ) -> AsyncIterator[Lab]:
        simulated = servers or {url: SimulatorConfig(**(CALM | calm)) for url in urls or (A, B)}
        config = attrs.evolve(config or EngineConfig(), probe=ProbeConfig(enabled=False))
        async with (
            open_fleet(simulated, split_seed=split_seed) as fleet,
            open_engine(*simulated, config=config, transport=fleet.transport()) as engine,
        ):
            engine._runtime.pool._draw = lambda: 0.0
            lab = Lab(engine, fleet)
            yield lab
            with trio.fail_after(5):
                while engine._runtime.streams._workers:  # whole, but for the end of the body
                    await trio.sleep(0.01)
            lab.check_baseline()

    return open_


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when its task, or any, gives way for the n-th time.

    Args:
        step: n, from 1.
        of_any: whether all tasks count: what one waits for, another one does.
    """

    def __init__(self, step: int, *, of_any: bool = False) -> None:
        self.scope = trio.CancelScope()
        self._left = step
        self._of_any = of_any
        self._task: trio.lowlevel.Task | None = None

    def __enter__(self) -> trio.CancelScope:
        self._task = trio.lowlevel.current_task()
        trio.lowlevel.add_instrument(self)
        return self.scope.__enter__()

    def __exit__(self, *exc: object) -> bool | None:
        trio.lowlevel.remove_instrument(self)
        return self.scope.__exit__(*exc)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Called by trio."""
        if task is self._task or self._of_any:
            self._left -= 1
            if self._left == 0:
                self.scope.cancel()


@pytest.fixture
def cancel_at_step() -> type[CancelAtStep]:
    """Make a scope that is cancelled when its task gives way for the n-th time."""
    return CancelAtStep
