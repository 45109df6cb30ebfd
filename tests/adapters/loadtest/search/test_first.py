"""Where a search begins."""

import pytest
from msgspec.structs import replace
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of

from triollama_adapters.loadtest.plan import ClosedLoop, Plan
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.first import first_rate
from triollama_adapters.loadtest.workload.scenario import Workload

LIMITS = {"least": 0.01, "most": 10_000.0, "default": 1.0}


@pytest.mark.parametrize("slots", [1, 4, 16])
async def test_it_begins_at_half_of_what_many_users_get(slots: int) -> None:
    """A slot of the model takes half a second, so that each does two a second."""
    rate = await first_rate(plan_of(), QueueModel(slots).run, **LIMITS)
    assert rate == pytest.approx(slots, rel=0.1)


async def test_the_look_is_one_short_closed_loop() -> None:
    """It has no objectives, no drain and not more processes than users."""
    seen: list[Plan] = []
    model = QueueModel(4)

    async def run(plan: Plan) -> Result:
        seen.append(plan)
        return await model.run(plan)

    await first_rate(replace(plan_of(), processes=100), run, **LIMITS)
    (look,) = seen
    assert isinstance(look.shape, ClosedLoop)
    assert (look.drain_s, look.objectives) == (0.0, ())
    assert look.processes <= look.shape.concurrency


async def test_a_session_of_several_turns_is_one() -> None:
    """Rates are of sessions; the mean counts by weight."""
    plan = plan_of()
    first = plan.workload.scenarios[0]
    mixed = Workload((replace(first, weight=1.0, turns=1), replace(first, weight=1.0, turns=3)))
    alone = await first_rate(plan, QueueModel(8).run, **LIMITS)
    both = await first_rate(replace(plan, workload=mixed), QueueModel(8).run, **LIMITS)
    assert both == pytest.approx(alone / 2, rel=0.1)


async def test_limits_are_kept_and_silence_has_a_default() -> None:
    """A server that answers nothing within the look is begun with as before."""
    rate = await first_rate(plan_of(), QueueModel(4).run, least=0.01, most=2.0, default=1.0)
    assert rate == 2.0

    async def silent(plan: Plan) -> Result:
        result = await QueueModel(4).run(plan)
        return replace(result, rates=replace(result.rates, completed=0.0))

    assert await first_rate(plan_of(), silent, **LIMITS) == 1.0
