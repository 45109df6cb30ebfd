"""Runs that end early."""

from collections.abc import Callable

import trio
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of, result_of

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.search.runs import look_at, watched
from triollama_adapters.loadtest.search.saturation import SATURATED, saturation_of
from triollama_adapters.loadtest.search.steps import at_rate


class FakeLoad:
    """Runs a plan against the model, and tells its progress twice a second."""

    def __init__(self) -> None:
        self.stopped_s: float | None = None

    async def __call__(
        self,
        plan: Plan,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: trio.Event | None = None,
    ) -> Result:
        """See `RunLoad`."""
        asked = QueueModel().serve(plan)
        assert on_progress is not None
        assert stop is not None
        for half in range(int(2 * (plan.warm_up_s + plan.duration_s))):
            now_s = half / 2
            late = [e.first_s - e.due_s for e in asked if now_s - 3 < e.done_s <= now_s]
            on_progress(
                Progress(
                    now_s,
                    "warm-up" if now_s < plan.warm_up_s else "measuring",
                    0.0,
                    scheduled=sum(e.due_s <= now_s for e in asked),
                    ok=sum(e.done_s <= now_s for e in asked),
                    ttft_p50_s=sorted(late)[len(late) // 2] if late else None,
                )
            )
            if stop.is_set():
                self.stopped_s = now_s
                break
        return result_of(plan, asked)


async def test_an_over_saturated_run_is_ended_and_says_so() -> None:
    """Its event has the words, by which it is judged afterwards."""
    load, seen = FakeLoad(), list[Progress]()
    plan = at_rate(plan_of(), 40.0, duration_s=60.0, seed=1)
    result = await watched(load, on_progress=seen.append)(plan)
    assert load.stopped_s is not None
    assert load.stopped_s < 40.0
    assert seen[-1].at_s == load.stopped_s
    event = result.events[-1]
    assert (event.kind, event.at_s) == (SATURATED, load.stopped_s)
    assert saturation_of(result).why == event.text


async def test_a_run_that_is_well_goes_on_to_its_end() -> None:
    """Without an event."""
    load = FakeLoad()
    result = await watched(load)(at_rate(plan_of(), 8.0, duration_s=60.0, seed=1))
    assert load.stopped_s is None
    assert result.events == ()


async def test_the_users_stop_ends_the_run_under_way() -> None:
    """At its next progress, and that is no over-saturation."""
    load, stop = FakeLoad(), trio.Event()
    stop.set()
    result = await watched(load, stop=stop)(at_rate(plan_of(), 8.0, duration_s=60.0, seed=1))
    assert load.stopped_s == 0.0
    assert result.events == ()


def test_a_look_counts_all_that_is_not_over() -> None:
    """Also what is due and not sent."""
    progress = Progress(5.0, "measuring", 9.0, scheduled=50, sent=40, ok=20, failed=3, others=2)
    look = look_at(progress)
    assert (look.at_s, look.due, look.in_flight, look.ttft_s) == (5.0, 50, 25, None)
