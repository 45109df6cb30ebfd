"""The capacity of servers whose capacity is known."""

import math
from functools import cache

import pytest
import trio
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of, ttft_below

from triollama_adapters.loadtest.plan import ClosedLoop, Objective, OpenLoop, Phase, Replay
from triollama_adapters.loadtest.search.capacity import SearchRules, find_capacity
from triollama_adapters.loadtest.search.found import Step
from triollama_adapters.loadtest.search.steps import at_rate

OBJECTIVE = ttft_below(0.8)


@cache
def true_capacity(limit_s: float, slots: int = 8) -> float:
    """The rate at which p95 of TTFT is just the limit, from runs of hours."""
    model = QueueModel(slots)
    low, high = 1.0, slots / (model.prefill_s + model.decode_s)
    for _ in range(10):
        middle = (low + high) / 2
        plan = at_rate(plan_of(), middle, duration_s=7_200, seed=99)
        ttft = sorted(each.first_s - each.due_s for each in model.serve(plan))
        if ttft[math.ceil(0.95 * len(ttft)) - 1] < limit_s:
            low = middle
        else:
            high = middle
    return low


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
async def test_a_known_capacity_is_in_the_bracket_and_within_five_percent(seed: int) -> None:
    """Where arrivals and waits are random, steps of five minutes tell."""
    plan = plan_of(OBJECTIVE, duration_s=300.0, warm_up_s=30.0, seed=1_000 * seed)
    found = await find_capacity(plan, QueueModel().run)
    assert found.low is not None
    assert found.high is not None
    truth = true_capacity(0.8)
    middle = math.sqrt(found.low * found.high)
    assert middle == pytest.approx(truth, rel=0.05)
    assert found.low <= 1.05 * truth
    assert found.high >= 0.95 * truth


@pytest.mark.parametrize("slots", [1, 4, 16])
async def test_without_objectives_it_is_what_the_slots_can_do(slots: int) -> None:
    """A trace has its requests at equal distances, so that nothing is random."""
    plan = plan_of(shape=Replay("trace.jsonl"), duration_s=60.0)
    found = await find_capacity(plan, QueueModel(slots).run)
    assert found.unit == "times the recorded speed"
    assert found.objectives == ("errors<=1%", "behind<=5%")
    assert found.state == "found"
    assert found.rate == pytest.approx(slots / 0.5, rel=0.06)


async def test_the_answer_carries_its_steps_and_its_rule() -> None:
    """Each step has its run, each run its own seed, and the best one is at the rate."""
    told: list[Step] = []
    model = QueueModel()
    plan = plan_of(OBJECTIVE, seed=50)
    found = await find_capacity(plan, model.run, on_step=told.append)
    assert found.steps == tuple(told)
    assert [each.result.plan for each in found.steps] == model.runs
    assert [each.seed for each in model.runs] == list(range(50, 50 + len(told)))
    assert found.objectives == ("ttft_p95<800ms", "errors<=1%")
    assert found.unit == "sessions/s"
    assert "ttft_p95<800ms, errors<=1%" in found.rule
    assert "doubled from 1" in found.rule
    best = found.best
    assert best is not None
    assert (best.rate, best.met) == (found.rate, "met")
    assert best.result.name == f"{found.rate:g} sessions/s"
    assert found.rate == found.low


async def test_a_step_lasts_as_long_as_its_objectives_need() -> None:
    """At a low rate longer, a repeated one twice as long; from the warm-up on it is steady."""
    model = QueueModel()
    found = await find_capacity(plan_of(ttft_below(0.8, 0.99)), model.run)
    first = found.steps[0]
    assert first.duration_s == 479.0  # 1.3 times the 368 requests that p99 needs, at 1/s
    shape = model.runs[0].shape
    assert isinstance(shape, OpenLoop)
    assert shape.phases == (Phase(489.0, 1.0, 1.0),)
    last: dict[float, float] = {}
    for step in found.steps:
        assert step.duration_s >= 2 * last.get(step.rate, 0.0)
        last[step.rate] = step.duration_s


async def test_an_over_saturated_step_is_missed_whatever_its_percentiles() -> None:
    """So a lax objective does not hide that the queue grows."""
    found = await find_capacity(plan_of(ttft_below(1_000.0)), QueueModel().run)
    saturated = [each for each in found.steps if each.is_saturated]
    assert saturated
    assert all(each.met == "missed" for each in saturated)
    assert "the queue grew all the time" in saturated[0].why
    assert found.rate == pytest.approx(16.0, rel=0.06)


async def test_too_much_noise_leaves_it_undetermined() -> None:
    """A server whose speed drifts within each run: the bracket is told, and no false certainty."""
    plan = plan_of(OBJECTIVE, duration_s=30.0)
    model = QueueModel(drift=1.0)
    found = await find_capacity(plan, model.run, rules=SearchRules(repeats_max=1))
    assert found.state == "undetermined"
    assert found.why
    doubtful = [each for each in found.steps if each.met == "undetermined"]
    assert len(doubtful) >= 2


async def test_a_server_that_refuses_is_not_within_its_objectives() -> None:
    """Those that it answers are quick, but it fails the others."""
    found = await find_capacity(plan_of(ttft_below(30.0)), QueueModel(refuses_from=8).run)
    missed = [each for each in found.steps if each.met == "missed"]
    assert found.rate is not None
    assert found.rate <= 16.0
    assert any("requests failed" in each.why for each in missed)


async def test_an_objective_on_errors_takes_the_place_of_ours() -> None:
    """The user's word counts."""
    errors = Objective("errors", None, 0.5, "errors<50%")
    plan = plan_of(errors, shape=ClosedLoop(1))
    found = await find_capacity(plan, QueueModel().run, rules=SearchRules(steps_max=1))
    assert found.objectives == ("errors<50%", "behind<=5%")


async def test_where_the_load_tester_is_the_bottleneck_that_is_the_answer() -> None:
    """The capacity is above what it can offer."""
    found = await find_capacity(plan_of(OBJECTIVE), QueueModel(client_max=6.0).run)
    assert found.state == "above"
    assert found.rate is not None
    assert 5.7 <= found.rate <= 6.0
    assert found.high is None
    assert not all(each.is_valid for each in found.steps)


async def test_a_search_that_is_stopped_makes_no_further_step() -> None:
    """It tells what is known by then."""
    stop = trio.Event()

    def stop_at_the_third(step: Step) -> None:
        if step.rate == 4.0:
            stop.set()

    found = await find_capacity(
        plan_of(OBJECTIVE), QueueModel().run, on_step=stop_at_the_third, stop=stop
    )
    assert len(found.steps) == 3
    assert (found.state, found.low, found.high) == ("undetermined", 4.0, None)
    assert found.why == "it was stopped after 3 runs"
    assert found.best is found.steps[-1]
