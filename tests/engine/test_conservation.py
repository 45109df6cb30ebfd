"""Nothing is lost: random loads with random faults, the ledger looked at all the time."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import trio
from hypothesis import settings
from trio.testing import MockClock

from triollama import (
    CallerError,
    EndpointConfig,
    EndpointError,
    Engine,
    EngineConfig,
    EngineError,
    OverloadError,
    StreamCancelledError,
    open_engine,
)
from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatedFleet,
    SimulatorConfig,
    open_fleet,
)

SEEDS = 1_000 if settings.get_current_profile_name() == "nightly" else 50
REQUESTS = 100
QUIET_S = 60.0
"""Once faults stop, all waiting work ends within this time."""

MENU: list[dict[str, Any]] = [
    {"kind": "refuse", "seconds": 2.0},
    {"kind": "reset", "after_bytes": 100},
    {"kind": "reset", "after_tokens": 2},
    {"kind": "stall", "seconds": 20.0},
    {"kind": "stall", "after_tokens": 3},
    {"kind": "half_close", "after_tokens": 1},
    {"kind": "drip", "bytes_per_s": 2_000.0},
    {"kind": "wrong_length", "count": 5},
    {"kind": "wrong_length", "count": -5},
    {"kind": "truncated_chunk", "after_tokens": 2},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502, "text": "<html>"},
    {"kind": "status", "status": 503, "text": "server busy", "retry_after": "1"},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 400},
    {"kind": "garbage_line", "after_tokens": 1},
    {"kind": "error_line", "after_tokens": 2},
    {"kind": "double_done"},
    {"kind": "missing_done"},
    {"kind": "after_done"},
    {"kind": "restart"},
]


class Load:
    """A random load of one seed, with what became of each request."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.outcomes: list[str] = []
        self.sampled = 0

    def rules(self) -> list[FaultRule]:
        """Some faults, each for a share of the requests."""
        chosen = self.draw.sample(MENU, 4)
        return [FaultRule(fault=Fault(**each), probability=0.15) for each in chosen]

    async def ask(self, engine: Engine, number: int) -> None:
        """One request, in one of several ways, with a patience of its own."""
        await trio.sleep(self.draw.uniform(0, 20))
        leave_s = self.draw.choice([math.inf, math.inf, self.draw.uniform(0.0, 5.0)])
        deadline_s = self.draw.choice([None, None, self.draw.uniform(0.1, 10.0)])
        way = self.draw.choice([self.chat, self.read, self.embed, self.cancel])
        outcome = "left"
        try:
            with trio.move_on_after(leave_s):
                outcome = await way(engine, number, deadline_s)
        except StreamCancelledError:
            outcome = "cancelled"
        except OverloadError:
            outcome = "refused"
        except (EndpointError, EngineError, CallerError):
            outcome = "failed"
        self.outcomes.append(outcome)

    async def chat(self, engine: Engine, number: int, deadline_s: float | None) -> str:
        """Wait for the whole answer."""
        await engine.chat("llama3.2", f"q{number}", deadline_s=deadline_s)
        return "done"

    async def embed(self, engine: Engine, number: int, deadline_s: float | None) -> str:
        """Ask for a document."""
        await engine.embed("nomic-embed-text", f"q{number}", dimensions=4, deadline_s=deadline_s)
        return "done"

    async def read(self, engine: Engine, number: int, deadline_s: float | None) -> str:
        """Read chunk by chunk, sometimes slowly, sometimes pausing."""
        model = self.draw.choice(["llama3.2", "qwen3:0.6b"])
        async with engine.stream_chat(model, f"q{number}", deadline_s=deadline_s) as stream:
            taken = 0
            async for _ in stream:
                taken += 1
                if taken == 3 and number % 4 == 0:
                    stream.pause()
                    await trio.sleep(1)
                    stream.resume()
            assert taken == stream.chunks
            assert sum(attempt.why.value == "done" for attempt in stream.attempts) == 1
        return "done"

    async def cancel(self, engine: Engine, number: int, deadline_s: float | None) -> str:
        """Give up in the middle."""
        async with engine.stream_generate("llama3.2", f"q{number}") as stream:
            await trio.sleep(self.draw.uniform(0, 1))
            stream.cancel()
            await stream.collect()
        return "done"

    def sample(self, engine: Engine) -> None:
        """The ledger adds up at this moment, and no limit is passed."""
        now = engine.statistics()
        ended = now.done + now.failed + now.cancelled
        assert now.accepted == ended + now.waiting + now.running, now
        assert sum(each.in_flight for each in now.endpoints) == now.running
        for each in now.endpoints:
            assert 0 <= each.in_flight <= each.in_flight_max
            assert each.granted == each.in_flight + sum(each.outcomes.values())
        self.sampled += 1

    async def watch(self, engine: Engine) -> None:
        """Look every few moments."""
        while True:
            self.sample(engine)
            await trio.sleep(0.1)

    async def disturb(self, fleet: SimulatedFleet) -> None:
        """Other faults every few seconds; now and then a server dies and comes back."""
        for _ in range(4):
            for url in fleet.urls:
                fleet.set_faults(url, *self.rules())
            await trio.sleep(self.draw.uniform(2, 5))
            victim = self.draw.choice(fleet.urls)
            fleet.kill(victim)
            await trio.sleep(self.draw.uniform(0, 3))
            fleet.revive(victim)
        for url in fleet.urls:
            fleet.set_faults(url)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_request_has_one_outcome(autojump_clock: MockClock, seed: int) -> None:
    """At each moment the ledger adds up; at the end all is back, here and at the servers."""
    load = Load(seed)
    urls = [f"http://s{number}:1" for number in range(3)]
    server = SimulatorConfig(
        load_s=0.2, decode_tokens_per_s=40.0, answer_tokens_min=3, answer_tokens_max=12
    )
    config = EngineConfig(first_token_s=5.0, stall_s=2.0, linger_s=0.1)
    async with open_fleet(
        dict.fromkeys(urls, server), split_seed=seed if seed % 5 == 0 else None
    ) as fleet:
        endpoints = [EndpointConfig(url, max_in_flight=8) for url in urls]
        async with open_engine(*endpoints, config=config, transport=fleet.transport()) as engine:
            async with trio.open_nursery() as helpers:
                helpers.start_soon(load.watch, engine)
                async with trio.open_nursery() as asking:
                    for number in range(REQUESTS):
                        asking.start_soon(load.ask, engine, number)
                    await load.disturb(fleet)
                    calm_s = trio.current_time()
                assert trio.current_time() - max(calm_s, 20.0) < QUIET_S
                helpers.cancel_scope.cancel()
            with trio.fail_after(5):
                while engine._runtime.streams._workers:  # whole, but for the end of the body
                    await trio.sleep(0.01)
            load.sample(engine)
            now = engine.statistics()
            assert (now.waiting, now.running) == (0, 0)
            assert now.accepted == now.done + now.failed + now.cancelled <= REQUESTS
            assert now.done >= load.outcomes.count("done")
            assert len(load.outcomes) == REQUESTS
            assert "refused" not in load.outcomes
            assert set(now.restarts.values()) == {0}
        for url in urls:
            state = fleet.simulator(url).statistics()
            assert (state.in_flight, state.connections) == (0, 0)
    assert load.sampled > 50
