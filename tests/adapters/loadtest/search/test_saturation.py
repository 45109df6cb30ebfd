"""Queues that grow, queues that only vary, and runs that merely fill up."""

import math
import random

import pytest
from msgspec.structs import replace
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of, result_of

from triollama_adapters.loadtest.plan import ClosedLoop
from triollama_adapters.loadtest.result import Event
from triollama_adapters.loadtest.search.saturation import (
    SATURATED,
    Look,
    Saturation,
    Watch,
    judge,
    saturation_of,
)
from triollama_adapters.loadtest.search.steps import at_rate
from triollama_adapters.loadtest.search.trend import Z_RISING, blocks, mann_kendall, slope


def at(rate: float, *, seed: int = 0, warm_up_s: float = 10.0) -> Saturation:
    """The verdict on a server with a capacity of 16/s."""
    plan = at_rate(plan_of(warm_up_s=warm_up_s), rate, duration_s=60.0, seed=seed)
    return saturation_of(result_of(plan, QueueModel().serve(plan)))


@pytest.mark.parametrize("rate", [19.0, 20.0, 32.0, 160.0])
@pytest.mark.parametrize("seed", range(5))
def test_more_than_the_server_can_is_recognised(rate: float, seed: int) -> None:
    """From a fifth too much on, in a minute of random arrivals."""
    found = at(rate, seed=seed)
    assert found.is_saturated
    assert found.growth == pytest.approx(1 - 16 / rate, abs=0.06)
    assert "the queue grew all the time" in found.why


@pytest.mark.parametrize("rate", [1.0, 8.0, 12.0, 14.0])
def test_what_the_server_can_is_not_taken_for_it(rate: float) -> None:
    """A queue that only varies is none that grows."""
    assert not any(at(rate, seed=seed).is_saturated for seed in range(40))


@pytest.mark.parametrize("rate", [4.0, 12.0])
def test_a_server_that_fills_up_is_not_over_saturated(rate: float) -> None:
    """Without a warm-up requests in flight grow at first, but TTFT does not."""
    model = QueueModel(slots=400, decode_s=25.0)
    plan = at_rate(plan_of(warm_up_s=0.0), rate, duration_s=60.0, seed=3)
    found = saturation_of(result_of(plan, model.serve(plan)))
    assert found.growth > 0.2
    assert not found.is_saturated


def test_a_closed_loop_is_never_over_saturated() -> None:
    """It waits for answers."""
    plan = plan_of(shape=ClosedLoop(500))
    assert not saturation_of(result_of(plan, QueueModel().serve(plan))).is_saturated


def test_requests_without_an_answer_at_the_end_of_the_drain_tell_it_as_well() -> None:
    """A queue that was full from the beginning does not grow, and is not emptied either."""
    plan = replace(at_rate(plan_of(), 4.0, duration_s=60.0, seed=1), drain_s=0.0)
    model = QueueModel(slots=100, decode_s=20.0)
    found = saturation_of(result_of(plan, model.serve(plan)))
    assert found.is_saturated
    assert "had no answer when the drain ended" in found.why


def test_a_run_that_was_stopped_for_it_says_so() -> None:
    """Its event carries the words."""
    plan = at_rate(plan_of(), 1.0, duration_s=60.0, seed=1)
    result = result_of(plan, QueueModel().serve(plan))
    result = replace(result, events=(Event(12.0, SATURATED, "", "it grew and grew"),))
    assert saturation_of(result) == Saturation(is_saturated=True, why="it grew and grew")


def test_those_who_come_last_may_have_no_first_token_at_all() -> None:
    """That is a rise of TTFT, too."""
    looks = [Look(s, 10, 5 * s, 0.5 if s < 10 else None) for s in range(20)]
    found = judge(looks, due=200)
    assert found.is_saturated
    assert "had no first token by the end" in found.why


def test_few_looks_tell_nothing() -> None:
    """Four are too few for a trend."""
    looks = [Look(s, 10, 10 * s, 1.0 + s) for s in range(4)]
    assert not judge(looks, due=40).is_saturated
    assert not judge([], due=0).is_saturated


class TestWatch:
    """The same while a run goes on."""

    @staticmethod
    def stopped_at(rate: float, *, seed: int = 0) -> float | None:
        """When a run of a minute is stopped, if looked at twice a second."""
        plan = at_rate(plan_of(), rate, duration_s=60.0, seed=seed)
        asked, watch = QueueModel().serve(plan), Watch(plan)
        for half in range(1, 140):
            now_s = half / 2
            late = [e.first_s - e.due_s for e in asked if now_s - 3 < e.done_s <= now_s]
            look = Look(
                now_s,
                sum(e.due_s <= now_s for e in asked),
                sum(e.due_s <= now_s < e.done_s for e in asked),
                sorted(late)[len(late) // 2] if late else None,
            )
            if watch.see(look).is_saturated:
                return now_s
        return None

    @pytest.mark.parametrize("rate", [24.0, 32.0, 160.0])
    def test_a_hopeless_run_is_stopped_soon(self, rate: float) -> None:
        """In the first half of its window, but not before a quarter of it."""
        when_s = self.stopped_at(rate)
        assert when_s is not None
        assert 25.0 <= when_s <= 40.0

    @pytest.mark.slow
    def test_a_run_that_is_well_goes_on(self) -> None:
        """Many looks are many chances to be wrong; hardly any is taken."""
        stopped = [self.stopped_at(rate, seed=s) for rate in (8.0, 13.0) for s in range(10)]
        assert sum(when_s is not None for when_s in stopped) == 0

    def test_the_warm_up_and_closed_loops_are_not_judged(self) -> None:
        """Whatever they look like."""
        rising = [Look(s / 2, 10 * s, 10 * s, 1.0 + s) for s in range(200)]
        plan = plan_of(warm_up_s=1_000.0)
        assert not any(Watch(plan).see(look).is_saturated for look in rising)
        closed = Watch(plan_of(shape=ClosedLoop(5)))
        assert not any(closed.see(look).is_saturated for look in rising)


class TestTrend:
    """The test for a trend."""

    def test_scores_worked_out_by_hand(self) -> None:
        """For 1 2 3 4 5 the sum is 10, and its variance 50/3."""
        assert mann_kendall([1, 2, 3, 4, 5]) == pytest.approx(9 / math.sqrt(50 / 3))
        assert mann_kendall([5, 4, 3, 2, 1]) == pytest.approx(-9 / math.sqrt(50 / 3))
        assert mann_kendall([1, 1, 1, 1]) == 0.0
        assert mann_kendall([]) == 0.0
        assert mann_kendall([1, 2, 3, 4]) < Z_RISING

    def test_noise_is_taken_for_a_rise_once_in_forty(self) -> None:
        """As the level says."""
        draw = random.Random(4)
        rises = [mann_kendall([draw.random() for _ in range(10)]) >= Z_RISING for _ in range(2_000)]
        assert 0.01 < sum(rises) / len(rises) < 0.035

    def test_blocks_are_as_equal_as_can_be(self) -> None:
        """And hold each value once."""
        assert blocks([1, 3, 5, 7], 2) == [2, 6]
        assert blocks([1, 2, 3], 10) == [1, 2, 3]
        assert blocks([], 10) == []
        parts = blocks(list(range(23)), 10)
        assert len(parts) == 10
        assert parts == sorted(parts)

    def test_the_slope_of_a_line(self) -> None:
        """It is exact for one; and 0 where there is no time."""
        assert slope([0, 1, 2], [5, 7, 9]) == pytest.approx(2)
        assert slope([1, 1], [5, 7]) == 0.0
        assert slope([], []) == 0.0
