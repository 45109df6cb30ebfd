"""Searches over sockets, against simulated servers in processes of their own."""

import pytest
from tests.adapters.loadtest.search.queue_model import plan_of

from triollama_adapters.loadtest.plan import Api, ClosedLoop, Plan, Target
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.search.discover import discover
from triollama_adapters.loadtest.search.looking import Look
from triollama_adapters.loadtest.search.runs import watched
from triollama_adapters.loadtest.search.saturation import SATURATED, saturation_of
from triollama_adapters.loadtest.search.steps import at_rate
from triollama_adapters.loadtest.search.sweep import sweep
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import SimulatorConfig, open_simulators

pytestmark = pytest.mark.slow

MODEL = "llama3.2"


def server(**changes: object) -> SimulatorConfig:
    """Answers of 16 tokens take a tenth of a second, in each slot."""
    fixed = {
        "num_parallel": 4,
        "load_s": 0.3,
        "jitter": 0.0,
        "prefill_tokens_per_s": 20_000.0,
        "decode_tokens_per_s": 160.0,
        "answer_tokens_min": 100,
        "answer_tokens_max": 200,
    }
    return SimulatorConfig(**(fixed | changes))


def plan_at(url: str) -> Plan:
    """Short questions, short answers."""
    chat = Scenario("chat", MODEL, prompts=Prompts(tokens=30), answers=Answers(16))
    plan = plan_of(shape=ClosedLoop(1), endpoint=url, duration_s=2.0, warm_up_s=0.5)
    return Plan(plan.target, Workload((chat,)), plan.shape, 2.0, warm_up_s=0.5, drain_s=2.0)


@pytest.mark.parametrize("api", ["chat", "generate", "openai"])
async def test_slots_are_found_over_every_route(api: Api) -> None:
    """By the server's own times where it tells them."""
    look = Look(cold=False, reloads=False, speeds=False)
    async with open_simulators(1, server()) as [url]:
        found = (await discover(Target((url,), api=api), MODEL, look=look)).endpoints[0]
    assert found.slots is not None
    assert (found.slots.slots, found.slots.is_exact) == (4, True)
    assert found.is_timed is (api != "openai")
    assert (found.slots.by_residual is None) is (api == "openai")


async def test_a_cold_start_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    """The model is unloaded through the engine."""
    look = Look(slots=False, reloads=False, speeds=False)
    async with open_simulators(1, server()) as [url]:
        found = (await discover(Target((url,)), MODEL, look=look)).endpoints[0]
    assert found.cold_load_s == pytest.approx(0.3, abs=0.1)
    assert found.notes == ()


async def test_the_knee_of_a_real_curve_is_at_the_slots() -> None:
    """Two seconds for each point are enough where nothing is random."""
    async with open_simulators(1, server()) as [url]:
        curve = await sweep(plan_at(url), "concurrency", (1, 2, 4, 8), watched(run_load))
    assert curve.knee is not None
    assert curve.knee.value == 4
    assert curve.throughput[2] == pytest.approx(4 * curve.throughput[0], rel=0.2)


async def test_a_real_run_that_is_over_saturated_is_ended_early() -> None:
    """At four times what the server can, in less than half of the window."""
    async with open_simulators(1, server()) as [url]:
        plan = at_rate(plan_at(url), 160.0, duration_s=12.0, seed=1)
        result = await watched(run_load)(plan)
    assert result.events[-1].kind == SATURATED
    assert saturation_of(result).is_saturated
    assert result.window_s < 8.0
