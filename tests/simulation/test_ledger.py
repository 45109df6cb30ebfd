"""The ledger's instrument sees a lost request, and a limit that is passed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from tests.simulation.ledger import Ledger
from tests.simulation.scenario import draw

from triollama import open_engine
from triollama.actors.pool import PoolStatistics
from triollama.actors.streams import StreamsStatistics
from triollama_adapters.simulator import open_fleet

SCENARIO = draw(0)


@attrs.frozen
class Looks:
    """What a ledger looks at."""

    streams: StreamsStatistics
    pool: PoolStatistics

    def but(self, **changes: int) -> Looks:
        """The same with other counts of requests."""
        return attrs.evolve(self, streams=attrs.evolve(self.streams, **changes))

    def but_endpoint(self, **changes: Any) -> Looks:
        """The same with another endpoint."""
        changed = attrs.evolve(self.pool.endpoints[0], **changes)
        return attrs.evolve(self, pool=attrs.evolve(self.pool, endpoints=(changed,)))


async def rest() -> Looks:
    """An engine at rest over the first server of a scenario."""
    plan = SCENARIO.servers[0]
    async with open_fleet({plan.url: plan.config}) as fleet:
        async with open_engine(plan.url, transport=fleet.transport()) as engine:
            runtime = engine._runtime
            return Looks(runtime.streams.statistics(), runtime.pool.statistics())


def complaint(*looks: Looks) -> str:
    """What a ledger says that sees this, one after the other."""
    runtime = SimpleNamespace()
    engine: Any = SimpleNamespace(_runtime=runtime)
    ledger = Ledger(engine, SCENARIO, trio.CancelScope())
    for seen in looks:
        runtime.streams = SimpleNamespace(statistics=lambda seen=seen: seen.streams, _workers={})
        runtime.pool = SimpleNamespace(statistics=lambda seen=seen: seen.pool)
        assert not ledger.complaint
        ledger.look(is_at_rest=True)
    return ledger.complaint


async def test_rest_is_right() -> None:
    """An engine that does nothing has lost nothing."""
    assert not complaint(await rest())


@pytest.mark.parametrize("counter", ["accepted", "done", "failed", "cancelled", "waiting"])
async def test_a_lost_request_is_seen(counter: str) -> None:
    """Every term of the sum counts."""
    assert "requests are lost" in complaint((await rest()).but(**{counter: 1}))


async def test_a_lost_lease_is_seen() -> None:
    """What runs has a lease, and what has a lease runs."""
    now = await rest()
    assert "has a lease differ" in complaint(now.but(accepted=1, running=1))
    assert "has a lease differ" in complaint(now.but_endpoint(in_flight=1, granted=1))
    assert "leases are lost" in complaint(now.but_endpoint(granted=1))


async def test_a_limit_that_is_passed_is_seen() -> None:
    """More in flight than the endpoint's limit, or more in line than the line's."""
    now = await rest()
    much = SCENARIO.servers[0].max_in_flight + 1
    crowd = now.but_endpoint(in_flight=much, granted=much).but(accepted=much, running=much)
    assert "beyond a limit" in complaint(crowd)
    pool = attrs.evolve(now.pool, waiting=SCENARIO.config.line_max + 1)
    assert "the line is longer" in complaint(attrs.evolve(now, pool=pool))


async def test_slots_out_of_bounds_are_seen() -> None:
    """At least one, at most the endpoint's limit."""
    now = await rest()
    for count in (0, SCENARIO.servers[0].max_in_flight + 1):
        assert "bounds of slots" in complaint(now.but_endpoint(slots={"llama3.2": count}))


async def test_too_many_ejections_are_seen() -> None:
    """Of one endpoint none is taken out; what was out before the others left is no ejection."""
    now = await rest()
    assert "more than half" in complaint(now.but_endpoint(state="open"))
    assert "more than half" in complaint(now.but_endpoint(state="half open"))
    assert not complaint(now.but_endpoint(state="open", is_draining=True))


async def test_an_outcome_that_is_taken_back_is_seen() -> None:
    """What has ended stays so."""
    now = await rest()
    assert "taken back" in complaint(now.but(accepted=1, done=1), now)
