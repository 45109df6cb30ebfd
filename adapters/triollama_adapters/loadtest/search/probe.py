"""One endpoint, asked as load tests ask."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from msgspec.structs import replace

from triollama import EndpointConfig, Engine, TriollamaError, open_engine
from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.targets.asker import Asker
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.open import open_target
from triollama_adapters.loadtest.workload.scenario import Workload

__all__ = ["open_probe"]


@attrs.frozen
class _Probe:
    """See `discover.Probe`."""

    asker: Asker
    engine: Engine
    clock: RunClock

    async def ask(self, session: Session) -> Sample:
        return await self.asker.ask(session, 0, [], self.clock.now_ns())

    async def unload(self, model: str) -> bool:
        try:
            return bool(await self.engine.unload(model))
        except TriollamaError:
            return False


@asynccontextmanager
async def open_probe(target: Target, endpoint: str) -> AsyncIterator[_Probe]:
    """Connect to one endpoint for the time of a block.

    Args:
        target: how it is asked.
        endpoint: its address.

    Raises:
        TargetError: the address is not usable.
    """
    alone = replace(target, endpoints=(endpoint,), routing="even")
    plan = Plan(alone, Workload(()), ClosedLoop(1), duration_s=1.0)
    clock = RunClock(time.perf_counter_ns())
    config = EndpointConfig(endpoint, headers=target.headers)
    async with open_target(plan, clock) as asker, open_engine(config) as engine:
        yield _Probe(asker, engine, clock)
