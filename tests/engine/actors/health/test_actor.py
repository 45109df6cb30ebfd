"""The prober over simulated servers: dead, hung, restarted and revived ones are noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from triollama import _facts as fact
from triollama._config import EndpointConfig, EngineConfig, ProbeConfig
from triollama.actors.facts import FactHub
from triollama.actors.health import Prober
from triollama.actors.pool.messages import ProbeAnswered, ProbeUnanswered
from triollama.actors.streams.attempt import EndpointAccess
from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatedFleet,
    SimulatorConfig,
    open_fleet,
)

A, B = "http://a:11434", "http://b:11434"
CONFIG = ProbeConfig(interval_s=5.0, tags_interval_s=60.0, timeout_s=2.0, jitter=0.2)


@attrs.define
class Bench:
    """A prober over a fleet, and what it told."""

    fleet: SimulatedFleet
    prober: Prober
    access: dict[str, EndpointAccess]
    told: list[Any] = attrs.field(factory=list)
    facts: list[Any] = attrs.field(factory=list)

    def tell_probe(self, message: ProbeAnswered | ProbeUnanswered) -> None:
        """What the pool would be told."""
        self.told.append((trio.current_time(), message))

    def is_down(self, name: str) -> bool:
        """What the pool believes."""
        last = [message for _, message in self.told if message.endpoint == name][-1]
        return isinstance(last, ProbeUnanswered) and last.is_down


OpenBench = Callable[..., AbstractAsyncContextManager[Bench]]


class ListHub(FactHub):
    """A hub that keeps all facts."""

    def __init__(self, facts: list[Any]) -> None:
        super().__init__()
        self._kept = facts

    def publish(self, fact: Any) -> None:
        """Keep it."""
        self._kept.append(fact)
        super().publish(fact)


@pytest.fixture
def open_bench() -> OpenBench:
    """Open a prober over two servers."""

    @asynccontextmanager
    async def open_(config: ProbeConfig = CONFIG) -> AsyncIterator[Bench]:
        async with open_fleet(dict.fromkeys((A, B), SimulatorConfig())) as fleet:
            transport = fleet.transport()
            access = {
                each.name: EndpointAccess(each, transport, EngineConfig())
                for each in map(EndpointConfig, (A, B))
            }
            bench = Bench(fleet, None, access)  # type: ignore[arg-type]  # made below
            hub = ListHub(bench.facts)
            bench.prober = Prober(access, bench, hub, config, lambda: 0.5)
            for name in access:
                bench.prober.add(name)
            async with trio.open_nursery() as nursery:
                await nursery.start(bench.prober.run)
                yield bench
                nursery.cancel_scope.cancel()

    return open_


async def test_it_tells_what_a_server_has(autojump_clock: MockClock, open_bench: Any) -> None:
    """At once: version, loaded models, and the models on disk."""
    async with open_bench() as bench:
        await trio.sleep(0.1)
        for name in ("a:11434", "b:11434"):
            [message] = [m for _, m in bench.told if m.endpoint == name]
            assert message.version
            assert message.loaded == ()
            assert "llama3.2" in " ".join(message.available)


async def test_a_dead_server_is_noticed(autojump_clock: MockClock, open_bench: Any) -> None:
    """After at most an interval and two retries; and when it is back, after two good answers."""
    async with open_bench() as bench:
        await trio.sleep(1)
        bench.fleet.kill(A)
        await trio.sleep(5 + 2 + 0.1)
        assert bench.is_down("a:11434")
        assert not bench.is_down("b:11434")
        bench.fleet.revive(A)
        await trio.sleep(1 + 5 + 0.1)
        assert not bench.is_down("a:11434")
        assert any(isinstance(each, fact.ProbeRecovered) for each in bench.facts)


async def test_a_hung_server_holds_nobody_up(autojump_clock: MockClock, open_bench: Any) -> None:
    """It fails by its timeout, and the other is probed at its interval meanwhile."""
    async with open_bench() as bench:
        await trio.sleep(1)
        stall = Fault(kind="stall")
        bench.fleet.set_faults(A, FaultRule(fault=stall, routes=("/api/version",)))
        await trio.sleep(5 + 3 * (2 + 1))
        assert bench.is_down("a:11434")
        failed = [each for each in bench.facts if isinstance(each, fact.ProbeFailed)]
        assert {each.error for each in failed} == {"StallError"}
        good = [m for _, m in bench.told if m.endpoint == "b:11434"]
        assert len(good) == 3


async def test_a_server_without_ps_is_well(autojump_clock: MockClock, open_bench: Any) -> None:
    """Others imitate Ollama and lack some routes: what they do not tell is unknown."""
    async with open_bench() as bench:
        gone = Fault(kind="status", status=404, text="404 page not found")
        bench.fleet.set_faults(A, FaultRule(fault=gone, routes=("/api/ps", "/api/tags")))
        await trio.sleep(30)
        assert not bench.is_down("a:11434")
        last = [m for _, m in bench.told if m.endpoint == "a:11434"][-1]
        assert (last.loaded, last.available) == (None, None)


async def test_removed_and_added(autojump_clock: MockClock, open_bench: Any) -> None:
    """A removed endpoint is asked no more; one that is added, at once."""
    async with open_bench() as bench:
        await trio.sleep(1)
        bench.prober.remove("a:11434")
        bench.prober.remove("a:11434")
        before = len(bench.told)
        await trio.sleep(6)
        assert {m.endpoint for _, m in bench.told[before:]} == {"b:11434"}
        bench.prober.add("a:11434")
        await trio.sleep(0.1)
        assert bench.told[-1][1].endpoint == "a:11434"


async def test_a_hint_is_followed_at_once(autojump_clock: MockClock, open_bench: Any) -> None:
    """Without waiting for the interval."""
    async with open_bench() as bench:
        await trio.sleep(1)
        before = len(bench.told)
        bench.prober.ask_soon("a:11434")
        bench.prober.ask_soon("stranger")
        await trio.sleep(0.1)
        [(_, message)] = bench.told[before:]
        assert message.available is not None


async def test_a_crash_is_one_endpoints_own(
    autojump_clock: MockClock, open_bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in one probe is logged, and its task started again; the other goes on."""
    async with open_bench() as bench:
        await trio.sleep(1)
        access = bench.access["a:11434"]
        real = bench.access["a:11434"].attempt

        async def broken(*_: Any) -> None:
            await trio.lowlevel.checkpoint()
            raise LookupError("defect")

        access.attempt = broken
        await trio.sleep(20)
        assert bench.prober.statistics().crashes >= 3
        assert caplog.records
        access.attempt = real
        before = len(bench.told)
        await trio.sleep(10)
        assert {m.endpoint for _, m in bench.told[before:]} == {"a:11434", "b:11434"}


async def test_cancelled_it_leaves_no_connection(
    autojump_clock: MockClock, open_bench: Any
) -> None:
    """The probe under way is given up with its connection."""
    async with open_bench() as bench:
        bench.fleet.set_faults(A, FaultRule(fault=Fault(kind="stall"), routes=("/api/version",)))
        await trio.sleep(1)
        bench.prober.remove("a:11434")
        await trio.sleep(0.1)
        assert bench.fleet.simulator(A).statistics().in_flight == 0


async def test_turned_off_it_asks_nobody(autojump_clock: MockClock, open_bench: Any) -> None:
    """Then requests are the only probes."""
    async with open_bench(ProbeConfig(enabled=False)) as bench:
        await trio.sleep(100)
        assert bench.told == []
        assert bench.prober.statistics().endpoints == ()
