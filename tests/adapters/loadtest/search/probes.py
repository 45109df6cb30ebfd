"""Probes of simulated servers in memory, whose clock is trio's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from triollama import EndpointConfig, Engine, EngineConfig, TriollamaError, open_engine
from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.looking import OpenProbe, Probe
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.simulator import SimulatedFleet

MANY = 10_000


def now_ns() -> int:
    """Trio's clock, never 0."""
    return round(trio.current_time() * 1e9) + 1


@attrs.define
class SimulatedProbe:
    """Asks one simulated server as a load test would.

    Attributes:
        tells_times: whether what the server tells of its times reaches the sample.
        can_unload: whether models can be unloaded.
    """

    engine: Engine
    tells_times: bool = True
    can_unload: bool = True
    asked: list[Session] = attrs.field(factory=list)

    async def ask(self, session: Session) -> Sample:
        """See `Probe`."""
        self.asked.append(session)
        turn, sent_ns, stamps = session.turns[0], now_ns(), list[int]()
        sample = Sample(session.index, sent_ns=sent_ns, scheduled_ns=sent_ns)
        options = {"num_predict": turn.num_predict, **session.options}
        try:
            async with self.engine.stream_chat(
                session.model, turn.prompt, on_break="raise", options=options
            ) as stream:
                async for _chunk in stream:
                    stamps.append(now_ns())
                usage = stream.usage
                assert usage is not None
        except TriollamaError as error:
            sample.outcome, sample.detail = "http_5xx", type(error).__name__
            return sample
        sample.first_ns, sample.last_ns, sample.done_ns = stamps[0], stamps[-1], now_ns()
        sample.prompt_tokens, sample.output_tokens = usage.prompt_tokens, usage.output_tokens
        if self.tells_times:
            sample.is_timed = True
            sample.total_ns, sample.load_ns = usage.total_ns, usage.load_ns
            sample.prefill_ns, sample.decode_ns = usage.prefill_ns, usage.decode_ns
        return sample

    async def unload(self, model: str) -> bool:
        """See `Probe`."""
        return self.can_unload and bool(await self.engine.unload(model))


def probes_of(
    fleet: SimulatedFleet, *, tells_times: bool = True, can_unload: bool = True
) -> OpenProbe:
    """Open probes of a fleet's servers, without any bound on requests in flight."""

    @asynccontextmanager
    async def opened(_target: Target, endpoint: str) -> AsyncIterator[Probe]:
        config = EndpointConfig(endpoint, max_in_flight=MANY, num_parallel=MANY)
        async with open_engine(
            config, config=EngineConfig(attempts_max=1), transport=fleet.transport()
        ) as engine:
            yield SimulatedProbe(engine, tells_times, can_unload)

    def open_probe(target: Target, endpoint: str) -> AbstractAsyncContextManager[Probe]:
        return opened(target, endpoint)

    return open_probe
