"""What a search finds of simulated servers, whose slots, loads and speeds are known."""

from __future__ import annotations

from functools import partial

import pytest
from benchmarks.load_runs import plan_for
from benchmarks.plan import MODEL

from triollama_adapters.loadtest.plan import OpenLoop, Phase, Target
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.search.capacity import SearchRules, find_capacity
from triollama_adapters.loadtest.search.discover import discover
from triollama_adapters.loadtest.search.looking import Look
from triollama_adapters.loadtest.search.runs import watched
from triollama_adapters.simulator import SimulatorConfig, open_simulators

LOAD_S = 0.4
SLOTS = 4
TOKENS = 10
DECODE_TOKENS_PER_S = 50.0
CAPACITY_PER_S = SLOTS / (TOKENS / DECODE_TOKENS_PER_S)
"""Answers take the slots for as long as their tokens do."""


@pytest.mark.slow
async def test_slots_and_loads_are_found() -> None:
    """One burst shows how many are answered at once, one unload how long a load takes."""
    config = SimulatorConfig(num_parallel=2, load_s=LOAD_S, decode_tokens_per_s=200.0)
    async with open_simulators(1, config) as [url]:
        look = Look(reloads=False, speeds=False, answer_tokens=16, burst_max=16)
        [found] = (await discover(Target((url,)), MODEL, look=look)).endpoints
    assert found.slots is not None
    assert (found.slots.slots, found.slots.is_exact) == (2, True)
    assert found.cold_load_s == pytest.approx(LOAD_S, abs=0.1)


@pytest.mark.nightly
@pytest.mark.parametrize("slots", [1, 2, 4, 8])
@pytest.mark.parametrize("load_s", [0.2, 1.0])
async def test_every_number_of_slots_is_found(slots: int, load_s: float) -> None:
    """And the load times, and the speeds."""
    config = SimulatorConfig(
        num_parallel=slots, load_s=load_s, decode_tokens_per_s=80.0, prefill_tokens_per_s=1500.0
    )
    async with open_simulators(1, config) as [url]:
        [found] = (await discover(Target((url,)), MODEL)).endpoints
    assert found.slots is not None
    assert (found.slots.slots, found.slots.is_exact) == (slots, True)
    assert found.cold_load_s == pytest.approx(load_s, rel=0.02, abs=0.02)
    assert found.uncached is not None
    assert found.uncached.decode_tokens_per_s == pytest.approx(80.0, rel=0.05)
    assert found.uncached.prefill_tokens_per_s == pytest.approx(1500.0, rel=0.05)


@pytest.mark.nightly
async def test_a_known_capacity_is_found() -> None:
    """Within five percent of what the slots can do."""
    config = SimulatorConfig(
        num_parallel=SLOTS,
        load_s=0.0,
        decode_tokens_per_s=DECODE_TOKENS_PER_S,
        prefill_tokens_per_s=1e6,
        jitter=0.0,
    )
    async with open_simulators(1, config) as [url]:
        shape = OpenLoop((Phase(8.0, 1.0, 1.0),), "constant")
        plan = plan_for(url, shape, duration_s=8.0, warm_up_s=1.0, tokens=TOKENS)
        rules = SearchRules(start=10.0, least=1.0, most=80.0)
        capacity = await find_capacity(plan, watched(partial(run_load)), rules=rules)
    assert capacity.state == "found", capacity.why
    assert capacity.estimate == pytest.approx(CAPACITY_PER_S, rel=0.05), capacity.why
