"""Estimates, and what the choice by them does to a fleet of which one server turns slow."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from collections.abc import Callable
from functools import partial

import pytest

from triollama.actors.pool.estimate import (
    FORGET_S,
    KEEP_S,
    PENALTY,
    PENALTY_MAX,
    PENALTY_S,
    SLOW_START_MIN,
    SLOW_START_S,
    Estimate,
    Typical,
    cost,
)

NOW_S = 1_000.0
SLOW = 0
"""The server that turns slow."""


class Fleet:
    """Servers with slots and a line each, and requests that go to the cheaper of two at random."""

    def __init__(self, seed: int, *, per_s: float, servers: int = 6, slots: int = 8) -> None:
        self.rng = random.Random(seed)
        self.per_s = per_s
        self.slots = slots
        self.now_s = 0.0
        self.times_slower = [1.0] * servers
        self.failing: set[int] = set()
        self.busy = [0] * servers
        self.in_flight = [0] * servers
        self.lines: list[list[float]] = [[] for _ in range(servers)]
        self.estimates = [Estimate() for _ in range(servers)]
        self.typical = Typical()
        self.chosen: list[tuple[float, int]] = []
        self.ttfts: list[tuple[float, float]] = []
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._at(0.0, self._arrive)

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while self._agenda[0][0] <= until_s:
            self.now_s, _, happen = heapq.heappop(self._agenda)
            happen()

    def share(self, server: int, from_s: float, to_s: float) -> float:
        """The share of the requests of some time that one server got, where 1 is all of them."""
        chosen = [each for at_s, each in self.chosen if from_s <= at_s < to_s]
        return chosen.count(server) / len(chosen)

    def ttft_p99_s(self, from_s: float, to_s: float) -> float:
        """The 99th percentile of times to first token of requests of some time."""
        ttfts = sorted(ttft_s for at_s, ttft_s in self.ttfts if from_s <= at_s < to_s)
        return ttfts[math.ceil(len(ttfts) * 99 / 100) - 1]

    def _at(self, at_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._numbers), happen))

    def _cost(self, server: int) -> float:
        price = self.estimates[server].price(self.now_s, self.typical.value_s())
        return cost(price, self.in_flight[server], self.slots)

    def _arrive(self) -> None:
        self._at(self.now_s + self.rng.expovariate(self.per_s), self._arrive)
        chosen = min(self.rng.sample(range(len(self.busy)), 2), key=self._cost)
        self.chosen.append((self.now_s, chosen))
        self.estimates[chosen].on_sent(self.now_s)
        if chosen in self.failing:
            self.estimates[chosen].penalise(self.now_s)
            return
        self.in_flight[chosen] += 1
        self.lines[chosen].append(self.now_s)
        self._serve(chosen)

    def _serve(self, server: int) -> None:
        while self.lines[server] and self.busy[server] < self.slots:
            sent_s = self.lines[server].pop(0)
            self.busy[server] += 1
            slower = self.times_slower[server]
            token_s = self.now_s + 0.5 * math.exp(self.rng.gauss(0.0, 0.5)) * slower
            self._at(token_s, partial(self._first_token, server, sent_s))
            self._at(token_s + self.rng.uniform(2.0, 6.0) * slower, partial(self._end, server))

    def _first_token(self, server: int, sent_s: float) -> None:
        ttft_s = self.now_s - sent_s
        self.estimates[server].observe(ttft_s, self.now_s)
        self.typical.observe(ttft_s)
        self.ttfts.append((sent_s, ttft_s))

    def _end(self, server: int) -> None:
        self.busy[server] -= 1
        self.in_flight[server] -= 1
        self._serve(server)


@pytest.mark.parametrize("per_s", [4.0, 6.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_slow_server_of_six_hardly_counts(seed: int, per_s: float) -> None:
    """After 30 s a server 10 times slower gets at most 1/20, and p99 is at most twice as long."""
    fleet = Fleet(seed, per_s=per_s)
    fleet.run(120)
    assert fleet.share(SLOW, 0, 120) > 0.8 / 6
    fleet.times_slower[SLOW] = 10.0
    fleet.run(300)
    assert fleet.share(SLOW, 150, 180) <= 1 / 20
    assert fleet.share(SLOW, 150, 300) <= 1 / 50
    assert fleet.ttft_p99_s(150, 280) <= 2 * fleet.ttft_p99_s(20, 120)


@pytest.mark.parametrize("per_s", [4.0, 6.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_recovered_is_found_without_a_herd(seed: int, per_s: float) -> None:
    """60 s after its recovery it has at least 0.8 of its fair share, and never had 2.5 of it."""
    fleet = Fleet(seed, per_s=per_s)
    fleet.run(60)
    fleet.times_slower[SLOW] = 10.0
    fleet.run(200)
    fleet.times_slower[SLOW] = 1.0
    fleet.run(380)
    assert fleet.share(SLOW, 260, 380) * 6 >= 0.8
    assert max(fleet.share(SLOW, at_s, at_s + 10) * 6 for at_s in range(200, 370, 5)) <= 2.5


def test_failing_at_once_does_not_attract() -> None:
    """A server that fails every request at once, and is always idle for it, gets very few."""
    fleet = Fleet(1, per_s=6.0)
    fleet.run(60)
    fleet.failing.add(SLOW)
    fleet.run(240)
    assert fleet.share(SLOW, 60, 65) <= 1 / 6
    assert fleet.share(SLOW, 65, 240) <= 1 / 50


def share_after_return(seed: int, *, is_slow_start: bool) -> tuple[float, float]:
    """What an idle server gets in 3 s after it returns to a loaded fleet, and later; 1 is fair."""
    fleet = Fleet(seed, per_s=8.0)
    fleet.failing.add(SLOW)
    fleet.run(100)
    fleet.failing.clear()
    fleet.estimates[SLOW].begin_slow_start(100.0 if is_slow_start else 0.0)
    fleet.run(200)
    return fleet.share(SLOW, 100, 103) * 6, fleet.share(SLOW, 110, 200) * 6


def test_slow_start_lets_a_share_grow() -> None:
    """One that comes back idle into a loaded fleet does not get all that choose it: no herd."""
    ramped = [share_after_return(seed, is_slow_start=True) for seed in range(6)]
    at_once = [share_after_return(seed, is_slow_start=False) for seed in range(6)]
    early, late = map(statistics.mean, zip(*ramped, strict=True))
    assert early <= 1.2
    assert 0.9 <= late <= 1.1
    assert statistics.mean(early for early, _ in at_once) >= 1.6


def test_one_that_nothing_is_known_of_is_typical() -> None:
    """Without a measurement the fleet's typical time is expected."""
    assert Estimate().value(NOW_S, 0.7) == 0.7


def test_the_first_measurement_is_believed() -> None:
    """One measurement after none, or after a long silence, is the estimate."""
    estimate = Estimate()
    estimate.observe(3.0, NOW_S)
    assert estimate.value(NOW_S, 0.5) == pytest.approx(3.0)
    estimate.observe(0.3, NOW_S + 60)
    assert estimate.value(NOW_S + 60, 0.5) == pytest.approx(0.3, rel=0.02)


def test_one_odd_measurement_of_many_is_not() -> None:
    """A single first token that took a hundred times as long does not double the estimate."""
    estimate = Estimate()
    for number in range(100):
        estimate.observe(0.5, NOW_S + number / 10)
    estimate.observe(50.0, NOW_S + 10)
    assert 0.5 < estimate.value(NOW_S + 10, 0.5) < 1.0


def test_a_burst_of_measurements_counts() -> None:
    """Thirty measurements in the same instant move the estimate, though no time passed."""
    estimate = Estimate()
    estimate.observe(0.5, NOW_S)
    for _ in range(30):
        estimate.observe(5.0, NOW_S)
    assert estimate.value(NOW_S, 0.5) > 4.0


def test_without_news_it_holds_then_drifts_to_the_fleet() -> None:
    """An old estimate holds for `KEEP_S`, is half-way `FORGET_S / 2` later, and then is typical."""
    estimate = Estimate()
    estimate.observe(10.0, NOW_S)
    values = [
        estimate.value(NOW_S + KEEP_S + after_s, 1.0)
        for after_s in (-0.001, FORGET_S / 2, FORGET_S, 1e6)
    ]
    assert values == pytest.approx([10.0, 5.5, 1.0, 1.0])
    # A recovery is to be found, and the full share reached, within 60 s.
    assert KEEP_S + FORGET_S <= 40.0


def test_who_tries_is_not_followed() -> None:
    """A request to an endpoint whose estimate has drifted makes it hold again, until the news."""
    estimate = Estimate()
    estimate.observe(10.0, NOW_S)
    late_s = NOW_S + KEEP_S + FORGET_S
    assert estimate.value(late_s, 1.0) == pytest.approx(1.0)
    estimate.on_sent(late_s)
    assert estimate.value(late_s + KEEP_S, 1.0) == pytest.approx(10.0)
    estimate.observe(0.9, late_s + KEEP_S)
    assert estimate.value(late_s + KEEP_S, 1.0) == pytest.approx(0.9, rel=0.1)


def test_sending_while_there_is_news_changes_nothing() -> None:
    """Requests do not make an estimate hold longer than its last news does."""
    estimate = Estimate()
    estimate.observe(10.0, NOW_S)
    estimate.on_sent(NOW_S + KEEP_S)
    assert estimate.value(NOW_S + KEEP_S + FORGET_S, 1.0) == pytest.approx(1.0)


def test_penalties_multiply_and_fade() -> None:
    """Each failure makes it dearer by the same factor up to a limit, and time makes up for it."""
    estimate = Estimate()
    prices = []
    for _ in range(5):
        estimate.penalise(NOW_S)
        prices.append(estimate.price(NOW_S, 1.0))
    assert prices == pytest.approx([PENALTY, PENALTY**2, PENALTY_MAX, PENALTY_MAX, PENALTY_MAX])
    faded = estimate.price(NOW_S + PENALTY_S, 1.0)
    assert faded == pytest.approx(1.0 + (PENALTY_MAX - 1.0) / math.e)
    assert estimate.price(NOW_S + 20 * PENALTY_S, 1.0) == pytest.approx(1.0, rel=1e-4)
    assert estimate.value(NOW_S, 1.0) == 1.0


def test_slow_start_is_a_ramp() -> None:
    """The share grows in a line from its least to all, and what was known before is forgotten."""
    estimate = Estimate()
    estimate.observe(10.0, NOW_S)
    estimate.penalise(NOW_S)
    assert estimate.slow_start(NOW_S) == 1.0
    estimate.begin_slow_start(NOW_S)
    shares = [estimate.slow_start(NOW_S + part * SLOW_START_S) for part in (0, 0.5, 0.9, 1, 2)]
    assert shares == pytest.approx([SLOW_START_MIN, 0.5, 0.9, 1.0, 1.0])
    assert estimate.price(NOW_S, 1.0) == pytest.approx(1.0 / SLOW_START_MIN)
    assert estimate.price(NOW_S + SLOW_START_S, 1.0) == 1.0


def test_typical_is_not_what_the_slow_one_does() -> None:
    """One of twenty measurements that is ten times too long changes the typical time by a tenth."""
    typical = Typical()
    for number in range(1_000):
        typical.observe(5.0 if number % 20 == 0 else 0.5)
    assert 0.5 <= typical.value_s() < 0.6


def test_typical_begins_with_what_is_measured() -> None:
    """The first measurements count alike, whatever was assumed."""
    typical = Typical()
    for ttft_s in (2.0, 8.0):
        typical.observe(ttft_s)
    assert typical.value_s() == pytest.approx(4.0)


@pytest.mark.parametrize("ttft_s", [0.0, -1.0])
def test_a_time_that_cannot_be_is_a_short_one(ttft_s: float) -> None:
    """Zero or less, as a clock's grain may give, breaks nothing."""
    estimate, typical = Estimate(), Typical()
    estimate.observe(ttft_s, NOW_S)
    typical.observe(ttft_s)
    assert 0.0 < estimate.value(NOW_S, 1.0) < 0.001
    assert 0.0 < typical.value_s() < 0.001


def test_cost_shares_load_by_speed_size_and_weight() -> None:
    """Costs are equal where load is in proportion to speed, to slots, and to weight."""
    assert cost(1.0, 3, 4) == cost(2.0, 1, 4) == cost(1.0, 1, 2) == cost(1.0, 7, 4, 2.0) == 1.0
    assert cost(1.0, 0, 4) < cost(1.0, 1, 4)
    assert cost(0.5, 0, 1) < cost(5.0, 0, 1)
