"""The watchdog among crowds of fake workers: exact clocks, and few looks, counted and not timed."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama._config import EngineConfig
from triollama._errors import DeadlineExceededError, StallError, StreamCancelledError
from triollama.actors.streams.messages import Ended, Quiet, Terms
from triollama.actors.streams.watchdog import (
    DUE_TICKS_MIN,
    SLICE,
    TICK_S,
    TURN_S_MIN,
    Watchdog,
    tick_s,
)

CONFIG = EngineConfig(first_token_s=3.0, stall_s=2.0, linger_s=0.5)
EPSILON_S = 1e-6
STEP_S = 0.01


class Crowd:
    """Fake workers, and how often they are looked at.

    Attributes:
        workers: those that run.
        turns: how many were looked at in each turn, by its time: no two turns are at the same.
        close: the closer looks.
    """

    def __init__(self) -> None:
        self.workers: dict[Any, None] = {}
        self.turns: Counter[float] = Counter()
        self.close = 0
        self.watchdog = Watchdog(lambda: self.workers, CONFIG)
        self._look = self.watchdog.look
        self.watchdog.look = self._count  # type: ignore[method-assign, assignment]

    def add(self, limit_s: float = math.inf, *, is_attempting: bool = True) -> FakeWorker:
        """One more runs."""
        worker = FakeWorker(self, limit_s, is_attempting=is_attempting)
        self.workers[worker] = None
        self.watchdog.notice(worker)  # type: ignore[arg-type]
        return worker

    async def observe(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> float:
        """Let it go on for so long; returns how often each was looked at in a second."""
        await trio.sleep(2 * tick_s(len(self.workers)))
        self.turns.clear()
        self.close = 0
        until_s = trio.current_time() + seconds
        while trio.current_time() < until_s:
            await trio.sleep(STEP_S)
            meanwhile()
        return self.turns.total() / len(self.workers) / seconds

    def _count(self, workers: Collection[Any], now_s: float) -> None:
        self.turns[trio.current_time()] += len(workers)
        self._look(workers, now_s)


class FakeWorker:
    """What the watchdog sees of a worker. It is gone as soon as it is stopped.

    Attributes:
        wire: what has come for it.
        due_s: when its clock runs out, to be kept by the test.
        error: what it was stopped with.
        stopped_s: when.
    """

    def __init__(self, crowd: Crowd, limit_s: float, *, is_attempting: bool) -> None:
        now_s = trio.current_time()
        self.quiet = Quiet(now_s)
        self.is_attempting = is_attempting
        self.ended: Ended | None = None
        self.endpoint = "a"
        self.inflow = SimpleNamespace(received_bytes=0, is_paused=False, is_whole=False)
        self.limit_s = limit_s
        self.deadline_s = now_s + limit_s
        self.due_s = min(self.deadline_s, now_s + CONFIG.first_token_s)
        self.error: Exception | None = None
        self.stopped_s = math.inf
        self._crowd = crowd

    @property
    def terms(self) -> Terms:
        """Of those that stay quiet, only a closer look needs them."""
        self._crowd.close += 1
        return Terms(self.deadline_s, self.limit_s)

    def feed(self) -> None:
        """Bytes came."""
        self.inflow.received_bytes += 200
        self.due_s = min(self.deadline_s, trio.current_time() + CONFIG.stall_s)

    def stop(self, error: Exception) -> None:
        """See `Worker.stop`; the first time counts."""
        if self.error is None:
            self.error, self.stopped_s = error, trio.current_time()
            self._crowd.workers.pop(self, None)


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    """Nobody yet, and a watchdog over them."""
    async with _open_crowd() as crowd:
        yield crowd


@asynccontextmanager
async def _open_crowd() -> AsyncIterator[Crowd]:
    crowd = Crowd()
    async with trio.open_nursery() as nursery:
        await nursery.start(crowd.watchdog.run)
        yield crowd
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["quiet", "waiting", "paused", "busy"])
@pytest.mark.parametrize("count", [100, 1_000, 5_000])
async def test_each_is_looked_at_once_per_tick(
    autojump_clock: MockClock, crowd: Crowd, count: int, kind: str
) -> None:
    """However they were begun; and closely, unless bytes came, once a second."""
    for number in range(count):
        worker = crowd.add(60.0, is_attempting=kind != "waiting")
        worker.inflow.is_paused = kind == "paused"
        if number % 50 == 0 and number < 2_000:
            await trio.sleep(0.0113)

    def feed() -> None:
        for worker in crowd.workers:
            worker.inflow.received_bytes += 200

    looks = await crowd.observe(1.0, feed if kind == "busy" else lambda: None)
    assert looks == pytest.approx(1 / tick_s(count), rel=0.2)
    assert max(crowd.turns.values()) == SLICE
    if kind != "busy":
        assert crowd.close / count <= 1.1


@pytest.mark.parametrize("count", [100, 1_000, 3_000])
async def test_staggered_deadlines_cost_no_looks_at_others(
    autojump_clock: MockClock, crowd: Crowd, count: int
) -> None:
    """Each that is due is looked at in time, and nobody else because of it."""
    spread_s, ended = 4.0, []
    for number in range(count):
        ended.append(crowd.add(spread_s * (number + 1) / count, is_attempting=False))

    def refill() -> None:
        while len(crowd.workers) < count:
            ended.append(crowd.add(spread_s, is_attempting=False))

    looks = await crowd.observe(2.0, refill)
    assert looks <= 1.1 / tick_s(count) + 3 / spread_s
    assert max(crowd.turns.values()) <= SLICE
    slices_per_s = math.ceil(count / SLICE) / tick_s(count)
    assert len(crowd.turns) / 2.0 <= slices_per_s + 1 / (DUE_TICKS_MIN * tick_s(count)) + 1
    late_s = [each.stopped_s - each.deadline_s for each in ended if each.error is not None]
    assert len(late_s) > count / 2
    assert min(late_s) >= 0
    assert max(late_s) <= max(2 * DUE_TICKS_MIN * tick_s(count), 2 * TURN_S_MIN)


async def test_all_at_once_are_ended_in_many_turns(autojump_clock: MockClock, crowd: Crowd) -> None:
    """So that chunks move in between; together they take no longer than a tick."""
    workers = [crowd.add(3.0 if number % 2 else 60.0) for number in range(4_000)]
    for worker in workers:
        worker.inflow.is_paused = True
    await trio.sleep(3.0 + tick_s(4_000))
    assert [each for each in workers if each.error is not None] == workers[1::2]
    assert all(isinstance(each.error, DeadlineExceededError) for each in workers[1::2])
    assert min(each.stopped_s - each.deadline_s for each in workers[1::2]) >= 0
    assert max(crowd.turns.values()) == SLICE


@pytest.mark.parametrize("count", [10, 3_000])
async def test_a_deadline_shorter_than_a_tick(
    autojump_clock: MockClock, crowd: Crowd, count: int
) -> None:
    """It need not wait for the first look, which may be two ticks away."""
    for _ in range(count):
        crowd.add()
    await trio.sleep(1.0)
    for _ in range(20):
        worker = crowd.add(tick_s(count) / 2)
        await trio.sleep(2 * tick_s(count))
        assert 0 <= worker.stopped_s - worker.deadline_s <= TICK_S


async def test_what_lingers_past_its_deadline_wakes_nobody(
    autojump_clock: MockClock, crowd: Crowd
) -> None:
    """A request that has ended has no deadline; its connection has its own clock."""
    worker = crowd.add(1.0)
    await trio.sleep(0.9)
    worker.feed()
    worker.inflow.is_whole, worker.ended = True, Ended.DONE
    crowd.turns.clear()
    await trio.sleep(0.45)
    assert len(crowd.turns) <= 0.45 / TICK_S + 2
    await trio.sleep(0.2)
    assert isinstance(worker.error, StreamCancelledError)
    assert 0.9 + CONFIG.linger_s <= worker.stopped_s <= 0.9 + CONFIG.linger_s + TICK_S + 0.002


@pytest.mark.parametrize("phase_s", [0.0, 0.001, 0.024, 0.049])
@pytest.mark.parametrize("held_s", [0.5, 3.0])
async def test_the_clock_begins_anew_when_read_again(
    autojump_clock: MockClock, crowd: Crowd, phase_s: float, held_s: float
) -> None:
    """Not even a tick of the reader's time is counted, whenever it stopped reading."""
    worker = crowd.add()
    worker.feed()
    await trio.sleep(1.8 + phase_s)
    worker.inflow.is_paused = True
    await trio.sleep(held_s)
    worker.inflow.is_paused = False
    resumed_s = trio.current_time()
    await trio.sleep(CONFIG.stall_s + 2 * TICK_S)
    assert isinstance(worker.error, StallError)
    assert 0 <= worker.stopped_s - resumed_s - CONFIG.stall_s <= TICK_S + 2 * TURN_S_MIN


@pytest.mark.parametrize("seed", range(10))
async def test_no_clock_is_early_or_late(
    autojump_clock: MockClock, crowd: Crowd, seed: int
) -> None:
    """Whatever comes when: from its time to one tick after, and those not due go on.

    A deadline is known beforehand, so that it is nearly exact.
    """
    rng = random.Random(seed)
    count = rng.choice([7, 150, 1_200])
    workers = [crowd.add(rng.choice([0.7, 4.0, math.inf])) for _ in range(count)]
    pace = [rng.choice([0.0, 0.2, 0.004]) for _ in workers]
    for _ in range(300):
        await trio.sleep(0.02 * rng.random())
        for worker, chance in zip(workers, pace, strict=True):
            if worker.error is None and rng.random() < chance:
                worker.feed()
    now_s, late_max_s = trio.current_time(), tick_s(count) + 10 * TURN_S_MIN
    for worker in workers:
        if worker.error is not None:
            is_known = isinstance(worker.error, DeadlineExceededError)
            late_s = worker.stopped_s - worker.due_s
            assert -EPSILON_S <= late_s <= (10 * TURN_S_MIN if is_known else late_max_s)
        else:
            assert now_s <= worker.due_s + late_max_s


async def test_what_is_remembered_is_bounded(autojump_clock: MockClock, crowd: Crowd) -> None:
    """Requests that have ended are not kept until their deadline, nor any of them twice over."""
    for _ in range(30):
        for _ in range(100):
            crowd.add(30.0)
        await trio.sleep(0.1)
        crowd.workers.clear()
    assert not crowd.watchdog._due
    crowd.add(TICK_S)
    crowd.workers.clear()
    await trio.sleep(1.0)
    assert not crowd.watchdog._due
    workers = [crowd.add(4.0) for _ in range(200)]
    for _ in range(450):
        await trio.sleep(STEP_S)
        assert len(crowd.watchdog._due) <= 4 * len(workers)
        for worker in workers[::2]:
            worker.inflow.received_bytes += 200
    assert not crowd.workers
    await trio.sleep(1.0)
    assert not crowd.watchdog._due


async def test_a_stop_of_the_whole_process_is_forgiven_to_many(mock_clock: MockClock) -> None:
    """Nobody is ended for it but by a deadline, and the clocks go on from where they were."""
    mock_clock.autojump_threshold = 0
    async with _open_crowd() as crowd:
        started_s = trio.current_time()
        patient = [crowd.add() for _ in range(300)]
        hasty = [crowd.add(10.0) for _ in range(300)]
        await trio.sleep(1.0)
        mock_clock.jump(60.0)
        await trio.sleep(0.1)
        assert all(isinstance(each.error, DeadlineExceededError) for each in hasty)
        assert not any(each.error for each in patient)
        await trio.sleep(CONFIG.first_token_s)
        assert all(isinstance(each.error, StallError) for each in patient)
        # What it slept before it was to wake up is not known to have been lost.
        stopped_s = [each.stopped_s - started_s for each in patient]
        assert min(stopped_s) >= 60.0 + CONFIG.first_token_s - TICK_S
        assert max(crowd.turns.values()) <= SLICE
