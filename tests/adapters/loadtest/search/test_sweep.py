"""Curves whose knee is known, and sweeps that know when to end."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Replay
from triollama_adapters.loadtest.search.found import Sweep
from triollama_adapters.loadtest.search.knees import kneedle, power_knee
from triollama_adapters.loadtest.search.sweep import sweep

USERS = (1, 2, 4, 8, 16, 32, 64)


@pytest.mark.parametrize("slots", [2, 4, 8, 16])
async def test_the_knee_of_a_closed_loop_is_at_as_many_users_as_slots(slots: int) -> None:
    """Up to there each user adds throughput and no time; beyond, time and no throughput."""
    curve = await sweep(plan_of(), "concurrency", USERS, QueueModel(slots).run)
    assert curve.knee is not None
    assert curve.knee.value == slots
    assert curve.values[curve.knee.index] == slots
    assert "Kleinrock" in curve.knee.rule
    at = curve.knee.index
    assert curve.throughput[at] == pytest.approx(slots / 0.5, rel=0.02)
    assert curve.latency_s[at] == pytest.approx(0.5, rel=0.01)


async def test_a_closed_loop_ends_when_more_users_get_no_more_done() -> None:
    """Twice in a row; the user may want all of them nevertheless."""
    curve = await sweep(plan_of(), "concurrency", USERS, QueueModel(4).run)
    assert curve.values == (1, 2, 4, 8, 16)
    assert curve.stopped == "from 4 users on more of them got no more done"
    everything = await sweep(
        plan_of(), "concurrency", USERS, QueueModel(4).run, stops_when_saturated=False
    )
    assert everything.values == USERS
    assert everything.stopped == ""


async def test_an_open_loop_ends_at_the_first_rate_that_is_over_saturated() -> None:
    """That one is shown."""
    curve = await sweep(plan_of(), "rate", (2, 4, 8, 12, 24, 48), QueueModel().run)
    assert curve.values == (2, 4, 8, 12, 24)
    assert curve.saturated == (False, False, False, False, True)
    assert curve.stopped == "at 24 the queue grew for as long as the load lasted"
    assert curve.throughput[-1] == pytest.approx(16, rel=0.05)


async def test_a_sweep_ends_where_the_load_tester_does() -> None:
    """Further rates would show it, and not the server."""
    curve = await sweep(plan_of(), "rate", (2, 4, 8), QueueModel(client_max=3).run)
    assert curve.values == (2, 4)
    assert curve.stopped == "at 4 the load tester was the bottleneck"


async def test_values_are_run_once_and_in_order() -> None:
    """Whatever order they are given in; each with a seed of its own."""
    model, told = QueueModel(), list[Sweep]()
    plan = plan_of(shape=ClosedLoop(7, think_s=0.0, ramp_s=3.0), seed=5)
    curve = await sweep(plan, "concurrency", (4, 1, 4, 2), model.run, on_point=told.append)
    assert curve.values == (1, 2, 4)
    assert [each.shape for each in model.runs] == [
        ClosedLoop(users, ramp_s=3.0) for users in (1, 2, 4)
    ]
    assert [each.seed for each in model.runs] == [5, 6, 7]
    assert [len(each.values) for each in told] == [1, 2, 3]
    assert told[-1] == curve
    assert [each.name for each in curve.results] == ["1 user", "2 users", "4 users"]


async def test_rates_keep_the_way_of_arriving() -> None:
    """Only the phases change; of a trace only the speed."""
    model = QueueModel()
    shape = OpenLoop((Phase(1, 1, 2),), arrivals="gamma", burstiness=0.5)
    await sweep(plan_of(shape=shape), "rate", (3.0,), model.run)
    assert model.runs[0].shape == OpenLoop((Phase(70.0, 3.0, 3.0),), "gamma", 0.5)
    await sweep(plan_of(shape=Replay("t.jsonl")), "rate", (2.0,), model.run)
    assert model.runs[1].shape == Replay("t.jsonl", 2.0)


async def test_a_sweep_that_is_stopped_shows_what_there_is() -> None:
    """Also before its first run."""
    stop = trio.Event()

    def stop_at_the_second(curve: Sweep) -> None:
        if len(curve.values) == 2:
            stop.set()

    curve = await sweep(
        plan_of(), "concurrency", USERS, QueueModel().run, on_point=stop_at_the_second, stop=stop
    )
    assert (curve.values, curve.stopped) == ((1, 2), "it was stopped after 2 runs")
    at_once = trio.Event()
    alone = await sweep(
        plan_of(),
        "concurrency",
        USERS,
        QueueModel().run,
        stop=at_once,
        on_point=lambda _: at_once.set(),
    )
    assert alone.stopped == "it was stopped after 1 run"
    none = await sweep(plan_of(), "concurrency", USERS, QueueModel().run, stop=stop)
    assert (none.values, none.knee) == ((), None)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("concurrency", ()),
        ("concurrency", (1.5,)),
        ("concurrency", (0,)),
        ("rate", (-1.0,)),
        ("rate", (float("nan"),)),
        ("rate", (float("inf"),)),
    ],
)
async def test_values_that_mean_nothing_are_refused(kind: str, values: tuple[float, ...]) -> None:
    """Before anything is run."""
    model = QueueModel()
    with pytest.raises(PlanError):
        await sweep(plan_of(), kind, values, model.run)
    assert model.runs == []


class TestKnees:
    """The rules themselves."""

    @given(st.integers(4, 200), st.floats(0.5, 500))
    def test_the_power_of_a_single_server_is_greatest_at_half_of_its_capacity(
        self, points: int, capacity: float
    ) -> None:
        """M/M/1: the response time is 1 / (capacity - rate)."""
        rates = [capacity * (n + 1) / (points + 1) for n in range(points)]
        knee = power_knee(rates, rates, [1 / (capacity - rate) for rate in rates])
        assert knee is not None
        assert abs(knee.value - capacity / 2) <= capacity / (points + 1)

    def test_of_equals_the_first_is_the_knee(self) -> None:
        """Less load for the same."""
        knee = power_knee([1, 2, 3, 4], [1, 2, 4, 4], [1, 1, 2, 2])
        assert knee is not None
        assert (knee.index, knee.is_at_end) == (1, False)

    def test_a_curve_that_still_rises_has_its_knee_at_the_end(self) -> None:
        """And says that the true one may lie beyond."""
        knee = power_knee([1, 2, 4], [1, 2, 4], [1, 1, 1])
        assert knee is not None
        assert (knee.index, knee.is_at_end) == (2, True)

    def test_two_points_have_no_knee(self) -> None:
        """Nor have three of which one was not answered."""
        assert power_knee([1, 2], [1, 2], [1, 1]) is None
        assert power_knee([1, 2, 3], [1, 2, 0], [1, 1, None]) is None
        assert kneedle([1, 2], [1, 2], [1, 2]) is None

    def test_kneedle_on_the_curve_of_its_paper(self) -> None:
        """Y = 5 - 1 / (x + 0.1) over x from 0 to 0.9: the paper gives 0.22."""
        xs = [n / 9 for n in range(10)]
        knee = kneedle(xs, [5 - 1 / (x * 0.9 + 0.1) for x in xs], [x + 1 for x in xs])
        assert knee is not None
        assert knee.value == pytest.approx(0.22, abs=0.05)
        assert "Kneedle" in knee.rule

    def test_kneedle_needs_a_bend(self) -> None:
        """A straight line has none, nor has a flat one."""
        assert kneedle([1, 2, 3], [1, 2, 3], [1, 2, 3]) is None
        assert kneedle([1, 2, 3], [1, 1, 1], [1, 2, 3]) is None
