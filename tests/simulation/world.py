"""One scenario, live: the fleet, the engine, the callers, and what happens to them.

Owns the order of a run: everything begins, faults come and go until the horizon, then all faults
end, and what still waits has `QUIET_S` to end too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import trio
import trio.testing
from tests.simulation.chronicle import CAPACITY, Chronicle
from tests.simulation.judge import complaints
from tests.simulation.ledger import Ledger
from tests.simulation.reader import Reader
from tests.simulation.scenario import HORIZON_S, Scenario, ServerPlan
from tests.simulation.strikes import Strike
from tests.simulation.traffic import Traffic
from tests.simulation.truth import Truth
from trio.testing import MockClock

from triollama import EndpointConfig, Engine, open_engine
from triollama_adapters.simulator import FaultRule, open_fleet

__all__ = ["World"]

QUIET_S = 60.0
"""Once faults stop, all waiting work ends within this time (``reliability.md`` C2)."""

CLOSE_S = 5.0
"""For what is whole, but for the end of its body, to be put away: some lingers and a bit."""


class World:
    """A scenario, run.

    Args:
        scenario: which.
        clock: of the trio run in which it runs.

    Attributes:
        failures: what was wrong, as text.
        faults: how often each kind of fault acted.
        checks: invariants that held.
        trace: what happened, in order.
        readers: the callers.
        chronicle: what the engine told.
    """

    def __init__(self, scenario: Scenario, clock: MockClock) -> None:
        self.scenario = scenario
        self.failures: list[str] = []
        self.faults: Counter[str] = Counter()
        self.checks = 0
        self.trace: list[str] = []
        self.readers = [Reader(ask) for ask in scenario.asks]
        self.chronicle = Chronicle()
        self._clock = clock
        self._truth = Truth(scenario.servers[0].config)
        self._plans = {server.url: server for server in scenario.servers}
        self._rules: dict[str, tuple[FaultRule, ...]] = {}

    async def run(self) -> None:
        """Run it to its end; all that is wrong is in `failures` then."""
        servers = {server.url: server.config for server in self.scenario.servers}
        members = [_endpoint(each) for each in self.scenario.servers if not each.is_reserve]
        async with open_fleet(servers, split_seed=self.scenario.split_seed) as self._fleet:
            transport = Traffic(self._fleet.transport())
            config = self.scenario.config
            async with open_engine(*members, config=config, transport=transport) as engine:
                self._engine = engine
                async with engine.subscribe(capacity=CAPACITY) as facts:
                    await self._watched(engine, facts)
            for url in self._fleet.urls:
                self._check_server(url)
            # Those who wait for their turn all wake at once when the clock jumps over it.
            if not self.faults["clock jump"]:
                self.failures += transport.complaints(config.limits)
        self._judge()

    async def _watched(self, engine: Engine, facts: Any) -> None:
        """Let it happen, look at the engine all the time, and listen to it."""
        async with trio.open_nursery() as listening:
            listening.start_soon(self.chronicle.listen, facts)
            with trio.CancelScope() as scope:
                ledger = Ledger(engine, self.scenario, scope)
                trio.lowlevel.add_instrument(ledger)
                try:
                    await self._happen(engine)
                    await self._settle(engine)
                finally:
                    trio.lowlevel.remove_instrument(ledger)
            listening.cancel_scope.cancel()
        self.checks += ledger.checks
        if ledger.complaint:
            self.failures.append(f"at {trio.current_time():.3f} s: {ledger.complaint}")

    async def _happen(self, engine: Engine) -> None:
        quiet = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            with quiet:
                async with trio.open_nursery() as asking:
                    for reader in self.readers:
                        asking.start_soon(self._read, reader, engine)
                    await self._strike_all(nursery)
                    quiet.deadline = trio.current_time() + QUIET_S
            nursery.cancel_scope.cancel()  # servers that were to come back, and are back
        waiting = [str(reader.ask.number) for reader in self.readers if not reader.outcome]
        if quiet.cancelled_caught:
            told = f"{QUIET_S:g} s after the last fault, requests {', '.join(waiting)} go on"
            self.failures.append(told)

    async def _read(self, reader: Reader, engine: Engine) -> None:
        await reader.run(engine)
        self.note(
            f"request {reader.ask.number} {reader.outcome} {type(reader.error).__name__} "
            f"{len(reader.content)}+{len(reader.thinking)} "
            + " ".join(f"{each.endpoint}/{each.why.value}/{each.way}" for each in reader.attempts)
        )

    async def _settle(self, engine: Engine) -> None:
        """All is back where it was, but for answers whose body has not quite ended."""
        with trio.move_on_after(CLOSE_S):
            while engine._runtime.streams._workers:
                await trio.sleep(0.01)
        await trio.testing.wait_all_tasks_blocked()  # the last facts are heard
        now = engine.statistics()
        held = [each for each in now.endpoints if each.in_flight]
        if now.waiting or now.running or held or engine._runtime.streams._workers:
            self.failures.append(f"the engine still holds something: {now}")
        if any(now.restarts.values()):
            self.failures.append(f"an actor crashed: {now.restarts}")
        if now.accepted > len(self.readers):
            self.failures.append(f"{now.accepted} requests were accepted of {len(self.readers)}")
        self.failures += self.chronicle.complaints(now)

    # ---- what happens

    async def _strike_all(self, nursery: trio.Nursery) -> None:
        """Do all strikes, then end all faults."""
        for strike in self.scenario.strikes:
            await trio.sleep_until(strike.at_s)
            self.note(f"{strike.kind} {strike.url} {strike.seconds:g} {len(strike.rules)}")
            self._strike(strike, nursery)
        await trio.sleep_until(HORIZON_S)
        for url in self._fleet.urls:
            self._put_rules(url, ())
            self._fleet.revive(url)
        self.note("calm")

    def _strike(self, strike: Strike, nursery: trio.Nursery) -> None:
        match strike.kind:
            case "faults":
                self._put_rules(strike.url, strike.rules)
            case "kill":
                self.faults["kill"] += 1
                self._fleet.kill(strike.url)
                nursery.start_soon(self._revive_later, strike.url, strike.seconds)
            case "restart":
                self.faults["server restart"] += 1
                self._fleet.simulator(strike.url).restart(trio.current_time())
            case "jump":
                self.faults["clock jump"] += 1
                self._clock.jump(strike.seconds)
            case _:
                nursery.start_soon(self._change, strike)

    async def _revive_later(self, url: str, seconds: float) -> None:
        await trio.sleep(seconds)
        self._fleet.revive(url)

    async def _change(self, strike: Strike) -> None:
        """Let an endpoint come or go."""
        config = _endpoint(self._plans[strike.url])
        is_there = config.name in self._engine.endpoints
        self.faults[f"endpoint {strike.kind}"] += 1
        if strike.kind == "add":
            if not is_there:
                self._engine.add_endpoint(config)
            return
        if strike.kind == "drain":
            await self._engine.drain_endpoint(config.name)
        await self._engine.remove_endpoint(config.name)

    def _put_rules(self, url: str, rules: tuple[FaultRule, ...]) -> None:
        """Put other rules in force, and count how often those before acted."""
        acted = self._fleet.simulator(url).faults.acted()
        for rule, times in zip(self._rules.get(url, ()), acted, strict=False):
            self.faults[_kind(rule)] += times
        self._rules[url] = rules
        self._fleet.set_faults(url, *rules)

    # ---- what must be true in the end

    def note(self, event: str) -> None:
        """Something happened."""
        self.trace.append(f"{trio.current_time():.6f} {event}")

    def _check_server(self, url: str) -> None:
        now = self._fleet.simulator(url).statistics()
        if (now.in_flight, now.connections, now.slot_line) != (0, 0, 0):
            self.failures.append(f"{url} still holds something: {now}")
        if now.accepted != now.finished + now.failed + now.cancelled:
            self.failures.append(f"{url} lost a request: {now}")

    def _judge(self) -> None:
        if self.failures:
            return  # a run that was broken off says nothing of its requests
        for reader in self.readers:
            ask = reader.ask
            for told in complaints(reader, self._truth.of(ask), self.scenario):
                self.failures.append(f"request {ask.number}: {told}")
            self.checks += 1


def _endpoint(plan: ServerPlan) -> EndpointConfig:
    return EndpointConfig(
        plan.url,
        max_in_flight=plan.max_in_flight,
        num_parallel=None
        if plan.num_parallel is None
        else min(plan.num_parallel, plan.max_in_flight),
        weight=plan.weight,
    )


def _kind(rule: FaultRule) -> str:
    fault = rule.fault
    return f"status {fault.status}" if fault.kind == "status" else fault.kind
