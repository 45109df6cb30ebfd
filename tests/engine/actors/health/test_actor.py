"""The prober over simulated servers: dead, hung, restarted and revived ones are noticed."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from triollama import _facts as fact
from triollama._config import EndpointConfig, EngineConfig, ProbeConfig
from triollama.actors.facts import FactHub, Subscription
from triollama.actors.health import Prober
from triollama.actors.pool.messages import ProbeAnswered, ProbeUnanswered
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.messages import Call
from triollama.actors.supervisor import Child, Supervisor
from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatedFleet,
    SimulatorConfig,
    fast_config,
    open_fleet,
)

A, B = "http://a:11434", "http://b:11434"
NAME_A, NAME_B = "a:11434", "b:11434"
CONFIG = ProbeConfig(jitter=0.0)
"""Looks at 0 s, 5 s, 10 s, …"""

WALL_S = 1_785_600_000
"""The simulators' time of day at zero of trio's clock."""

STALL = Fault(kind="stall")


@attrs.define(eq=False)
class Bench:
    """A prober over a fleet, and what it tells; this is the pool that it talks to."""

    fleet: SimulatedFleet
    access: dict[str, EndpointAccess]
    config: ProbeConfig
    facts: Subscription
    hub: FactHub
    draw: Callable[[], float] = lambda: 0.5
    told: list[tuple[float, ProbeAnswered | ProbeUnanswered]] = attrs.field(factory=list)
    prober: Prober = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.prober = Prober(
            self.access,
            self,
            self.hub,
            self.config,
            self.draw,
            wall_s=lambda: WALL_S + trio.current_time(),
        )

    def tell_probe(self, message: ProbeAnswered | ProbeUnanswered) -> None:
        """What the pool would be told."""
        self.told.append((trio.current_time(), message))

    def messages(self, name: str) -> list[Any]:
        """What was told of one endpoint."""
        return [message for _, message in self.told if message.endpoint == name]

    def is_down(self, name: str) -> bool:
        """What the pool believes."""
        last = self.messages(name)[-1]
        return isinstance(last, ProbeUnanswered) and last.is_down

    def hear(self) -> list[fact.Fact]:
        """The facts since the last time."""
        heard = []
        while self.facts.statistics().waiting:
            heard.append(self.facts._receive.receive_nowait())
        return heard


OpenBench = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def open_bench() -> OpenBench:
    """Open a prober over servers, two if none are named."""

    @asynccontextmanager
    async def open_(
        config: ProbeConfig = CONFIG, *, urls: tuple[str, ...] = (A, B), **more: Any
    ) -> AsyncIterator[Bench]:
        hub = FactHub()
        async with open_fleet(dict.fromkeys(urls, fast_config())) as fleet:
            transport = fleet.transport()
            access = {
                each.name: EndpointAccess(each, transport, EngineConfig())
                for each in map(EndpointConfig, urls)
            }
            with hub.subscribe() as facts:
                bench = Bench(fleet, access, config, facts, hub, **more)
                for name in access:
                    bench.prober.add(name)
                async with trio.open_nursery() as nursery:
                    await nursery.start(bench.prober.run)
                    yield bench
                    nursery.cancel_scope.cancel()

    return open_


async def load(bench: Bench, url: str) -> None:
    """Have a server load a model, which then stays for five minutes."""
    access = bench.access[NAME_A if url == A else NAME_B]
    request = httpx.Request("POST", f"{url}/api/generate", json={"model": "llama3.2"})
    response = await access._transport.handle_async_request(request)
    await response.aread()
    await response.aclose()
    assert response.status_code == 200


async def test_it_tells_what_a_server_has(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """At once: version, loaded models, and the models on disk."""
    async with open_bench() as bench:
        await trio.sleep(0.1)
        for name in (NAME_A, NAME_B):
            [message] = bench.messages(name)
            assert message.version
            assert message.loaded == ()
            assert "llama3.2:latest" in message.available


async def test_a_loaded_model_is_seen(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """By its normalised name, with its context."""
    async with open_bench() as bench:
        await load(bench, A)
        await trio.sleep(5.1)
        [model] = bench.messages(NAME_A)[-1].loaded
        assert model.model_key == "llama3.2:latest"
        assert model.context_length > 0


async def test_a_dead_server_is_noticed(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """After at most an interval and two retries; when it is back, after two good answers."""
    async with open_bench() as bench:
        await trio.sleep(0.1)
        bench.fleet.kill(A)
        await trio.sleep(5.0)
        assert not bench.is_down(NAME_A)
        await trio.sleep(2.0)
        assert bench.is_down(NAME_A)
        assert not bench.is_down(NAME_B)
        bench.fleet.revive(A)
        await trio.sleep(1.0)
        assert bench.is_down(NAME_A)
        await trio.sleep(1.0)
        assert not bench.is_down(NAME_A)
        assert bench.messages(NAME_A)[-1].available
        heard = [type(each) for each in bench.hear()]
        assert heard.count(fact.ProbeFailed) == 3
        assert heard.count(fact.ProbeRecovered) == 1


async def test_a_restart_is_noticed(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """What was loaded is gone before its time; what it has is asked for at once."""
    async with open_bench() as bench:
        await load(bench, A)
        await trio.sleep(6)
        bench.hear()
        bench.fleet.simulator(A).restart(trio.current_time())
        await trio.sleep(5)
        restarted = [each for each in bench.hear() if isinstance(each, fact.EndpointRestarted)]
        assert [each.endpoint for each in restarted] == [NAME_A]
        assert [message.available is not None for message in bench.messages(NAME_A)] == [
            True,  # at 0 s
            False,  # at 5 s, with the model loaded
            False,  # at 10 s, without it
            True,  # half a second later
        ]


async def test_a_model_unloaded_in_its_time_is_no_restart(
    autojump_clock: MockClock, open_bench: OpenBench
) -> None:
    """Servers unload what nobody asks for."""
    async with open_bench() as bench:
        await load(bench, A)
        await trio.sleep(400)
        assert bench.messages(NAME_A)[-1].loaded == ()
        assert not any(isinstance(each, fact.EndpointRestarted) for each in bench.hear())


async def test_a_hung_server_holds_nobody_up(
    autojump_clock: MockClock, open_bench: OpenBench
) -> None:
    """It fails by its timeout, and the other is probed at its interval meanwhile."""
    async with open_bench() as bench:
        await trio.sleep(1)
        bench.fleet.set_faults(A, FaultRule(fault=STALL, routes=("/api/version",)))
        await trio.sleep(4 + 2 + 1 + 2 + 1 + 2 + 0.1)
        assert bench.is_down(NAME_A)
        failed = [each for each in bench.hear() if isinstance(each, fact.ProbeFailed)]
        assert [each.error for each in failed] == ["StallError"] * 3
        good_s = [at_s for at_s, message in bench.told if message.endpoint == NAME_B]
        assert good_s == pytest.approx([0, 5, 10], abs=0.01)


async def test_a_server_without_ps_is_well(
    autojump_clock: MockClock, open_bench: OpenBench
) -> None:
    """Others imitate Ollama and lack some routes: what they do not tell is unknown."""
    async with open_bench() as bench:
        gone = Fault(kind="status", status=404, text="404 page not found")
        bench.fleet.set_faults(A, FaultRule(fault=gone, routes=("/api/ps", "/api/tags")))
        await trio.sleep(30)
        assert not bench.is_down(NAME_A)
        last = bench.messages(NAME_A)[-1]
        assert (last.loaded, last.available) == (None, None)


@pytest.mark.parametrize("kind", ["reset", "status", "truncated_chunk", "half_close", "gzip"])
async def test_broken_answers_do_not_crash_it(
    autojump_clock: MockClock, open_bench: OpenBench, kind: Any
) -> None:
    """Each is a failure, or an answer that tells nothing; then all is well again."""
    async with open_bench() as bench:
        rule = FaultRule(fault=Fault(kind=kind, status=500), routes=())
        bench.fleet.set_faults(A, rule)
        await trio.sleep(20)
        assert bench.prober.statistics().crashes == 0
        assert bench.prober.statistics().endpoints[0].failed > 0
        bench.fleet.set_faults(A)
        await trio.sleep(10)
        assert not bench.is_down(NAME_A)


async def test_removed_and_added(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """A removed endpoint is asked no more; one that is added, at once, and by one task only."""
    async with open_bench() as bench:
        await trio.sleep(1)
        bench.prober.remove(NAME_A)
        bench.prober.remove(NAME_A)
        before = len(bench.told)
        await trio.sleep(6)
        assert {message.endpoint for _, message in bench.told[before:]} == {NAME_B}
        bench.prober.add(NAME_A)
        bench.prober.add(NAME_A)
        before = len(bench.messages(NAME_A))
        await trio.sleep(0.1)
        assert len(bench.messages(NAME_A)) == before + 1
        await trio.sleep(5)
        assert len(bench.messages(NAME_A)) == before + 2


async def test_a_hint_is_followed_at_once(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """Without waiting for the interval; one for a stranger is nothing."""
    async with open_bench() as bench:
        await trio.sleep(1)
        before = len(bench.told)
        for _ in range(1000):
            bench.prober.ask_soon(NAME_A)
        bench.prober.ask_soon("stranger")
        await trio.sleep(0.1)
        [(_, message)] = bench.told[before:]
        assert message.endpoint == NAME_A
        assert message.available is not None


async def test_hundreds_do_not_beat_together(
    autojump_clock: MockClock, open_bench: OpenBench
) -> None:
    """They look at their servers at once; from then on each second has its share of them."""
    urls = tuple(f"http://s{number}:1" for number in range(50))
    draws = (number * 0.618034 % 1.0 for number in itertools.count())  # fills [0, 1) evenly
    async with open_bench(ProbeConfig(), urls=urls, draw=lambda: next(draws)) as bench:
        await trio.sleep(5)
        seconds = Counter(int(at_s) for at_s, _ in bench.told[len(urls) :])
        assert all(8 <= seconds[second] <= 12 for second in range(4))


# ---- crashes and cancellation


async def broken(_: Call, __: Any) -> None:
    """A defect."""
    await trio.lowlevel.checkpoint()
    raise LookupError("defect")


async def test_a_crash_is_one_endpoints_own(
    autojump_clock: MockClock, open_bench: OpenBench, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in one probe is logged and told, and its task started again; the other goes on."""
    async with open_bench() as bench:
        await trio.sleep(1)
        access: Any = bench.access[NAME_A]
        access.attempt, real = broken, access.attempt
        await trio.sleep(20)
        assert bench.prober.statistics().crashes == 4  # 5, 10, 15 and 20 s
        assert [record.levelno for record in caplog.records] == [logging.ERROR] * 4
        told = [each for each in bench.hear() if isinstance(each, fact.ActorRestarted)]
        assert [(each.actor, each.error) for each in told] == [
            (f"prober of {NAME_A}", "LookupError")
        ] * 4
        assert len(bench.messages(NAME_B)) == 5
        access.attempt = real
        before = len(bench.messages(NAME_A))
        await trio.sleep(5)
        assert len(bench.messages(NAME_A)) == before + 1


async def test_the_state_outlives_the_prober(
    autojump_clock: MockClock, open_bench: OpenBench, caplog: pytest.LogCaptureFixture
) -> None:
    """When its own task crashes and is started again, it goes on with what it knew."""
    async with open_bench(urls=(A,)) as bench:
        other = Bench(bench.fleet, bench.access, CONFIG, bench.facts, bench.hub)
        other.prober.add(NAME_A)
        supervisor = Supervisor([Child("prober", other.prober.run)])
        async with trio.open_nursery() as nursery:
            await supervisor.start(nursery)
            await trio.sleep(1)
            inner: Any = other.prober._nursery
            inner.start_soon(broken, None, None)
            await trio.sleep(0.1)
            assert supervisor.restarts() == {"prober": 1}
            assert other.prober.statistics().endpoints[0].probes == 1
            await trio.sleep(9)
            assert [at_s for at_s, _ in other.told] == pytest.approx([0, 5, 10], abs=0.01)
            await supervisor.stop()


@pytest.mark.parametrize("route", ["/api/version", "/api/ps", "/api/tags"])
@pytest.mark.parametrize("whole", [False, True])
async def test_cancelled_it_leaves_no_connection(
    autojump_clock: MockClock, open_bench: OpenBench, route: str, *, whole: bool
) -> None:
    """The probe under way is given up with its connection, whatever it was asking."""
    async with open_bench() as bench:
        bench.fleet.set_faults(A, FaultRule(fault=STALL, routes=(route,)))
        bench.prober.ask_soon(NAME_A)
        await trio.sleep(1)
        assert bench.fleet.simulator(A).connections == 1
        before = len(bench.told)
        if whole:
            assert bench.prober._nursery is not None
            bench.prober._nursery.cancel_scope.cancel()
        else:
            bench.prober.remove(NAME_A)
        await trio.sleep(0.1)
        assert bench.fleet.simulator(A).connections == 0
        assert len(bench.told) == before


async def test_added_before_and_after_it_runs(
    autojump_clock: MockClock, open_bench: OpenBench
) -> None:
    """Endpoints that were added while it did not run are probed when it does."""
    async with open_bench() as bench:
        other = Bench(bench.fleet, bench.access, CONFIG, bench.facts, bench.hub)
        other.prober.add(NAME_A)
        await trio.sleep(1)
        assert other.told == []
        async with trio.open_nursery() as nursery:
            await nursery.start(other.prober.run)
            other.prober.add(NAME_B)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        assert {message.endpoint for _, message in other.told} == {NAME_A, NAME_B}
        other.prober.remove(NAME_A)
        other.prober.add(NAME_A)  # it has stopped, which is no fault of the one who adds
        assert other.prober.statistics().endpoints[-1].probes == 0


async def test_its_numbers(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """Per endpoint: how it is, how many probes there were, and how old the last good one is."""
    async with open_bench() as bench:
        await trio.sleep(0.1)
        bench.fleet.kill(A)
        await trio.sleep(9.5)  # it failed at 5, 6, 7, 8 and 9 s
        a, b = bench.prober.statistics().endpoints
        assert (a.endpoint, a.is_good, a.probes, a.failed, a.failures_in_row) == (
            NAME_A,
            False,
            6,
            5,
            5,
        )
        assert a.error == "ConnectError"
        assert a.age_s == pytest.approx(9.6, abs=0.05)
        assert (b.is_good, b.failed, b.error) == (True, 0, "")
        assert b.took_s is not None
        assert b.version == SimulatorConfig().version
        assert repr(bench.prober).startswith("<Prober: 1 of 2 good, ")


async def test_turned_off_it_asks_nobody(autojump_clock: MockClock, open_bench: OpenBench) -> None:
    """Then requests are the only probes."""
    async with open_bench(ProbeConfig(enabled=False)) as bench:
        await trio.sleep(100)
        assert bench.told == []
        assert bench.prober.statistics().endpoints == ()
