"""The pool's decisions, tried by tables and at random."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from triollama._errors import DeadlineExceededError, OverloadError
from triollama.actors.pool.core import (
    AVOID_S,
    AVOID_S_MAX,
    MISSING_MODELS_MAX,
    MISSING_S,
    EndpointStatistics,
    PoolCore,
)
from triollama.actors.pool.messages import (
    Abandon,
    Acquire,
    Granted,
    Lease,
    Outcome,
    PoolEffect,
    Refused,
    Released,
    TimePassed,
)

TICK_S = 0.001


class Bench:
    """A pool whose clock is turned by hand."""

    def __init__(self, *limits: int, line_max: int = 100) -> None:
        self.core = PoolCore(
            [(chr(ord("a") + n), limit) for n, limit in enumerate(limits)], line_max=line_max
        )
        self.now_s = 1_000.0
        self.tickets = 0

    def ask(self, model: str = "m", **more: Any) -> list[PoolEffect]:
        """Ask for a lease; what comes of it at once."""
        self.tickets += 1
        terms = {"deadline_s": math.inf, "asked_s": self.now_s} | more
        return list(self.core.handle(Acquire(self.tickets, model, **terms), self.now_s))

    def lease(self, model: str = "m", **more: Any) -> Lease:
        """Ask for a lease that is there at once."""
        [effect] = self.ask(model, **more)
        assert isinstance(effect, Granted)
        return effect.lease

    def queue(self, **more: Any) -> int:
        """Ask for a lease that is not there; the ticket."""
        assert self.ask(**more) == []
        return self.tickets

    def end(self, lease: Lease, outcome: Outcome = Outcome.DONE) -> list[PoolEffect]:
        """Give a lease back; what comes of it."""
        return list(self.core.handle(Released(lease, outcome), self.now_s))

    def fail(self, endpoint: str, outcome: Outcome = Outcome.FAILED) -> None:
        """Use an endpoint once, and fail."""
        assert self.end(self.lease(only=endpoint), outcome) == []

    def pass_s(self, seconds: float) -> list[PoolEffect]:
        """Let time pass."""
        self.now_s += seconds
        return list(self.core.handle(TimePassed(), self.now_s))

    def endpoint(self, name: str) -> EndpointStatistics:
        """What is known of an endpoint."""
        [found] = [e for e in self.core.statistics(self.now_s).endpoints if e.name == name]
        return found

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return self.core.statistics(self.now_s).waiting


def tickets(effects: list[PoolEffect]) -> list[int]:
    """Who is granted a lease."""
    assert all(isinstance(effect, Granted) for effect in effects)
    return [effect.ticket for effect in effects]


# ---- choosing


def test_the_least_loaded_share_is_chosen() -> None:
    """An endpoint of twice the limit takes twice as many."""
    bench = Bench(2, 4)
    chosen = [bench.lease().endpoint for _ in range(6)]
    assert (chosen.count("a"), chosen.count("b")) == (2, 4)
    assert chosen[:3].count("a") == 1


def test_among_equals_the_one_chosen_longest_ago_is_next() -> None:
    """Requests that never overlap go round the fleet."""
    bench = Bench(9, 9, 9)
    chosen = []
    for _ in range(6):
        lease = bench.lease()
        chosen.append(lease.endpoint)
        bench.end(lease)
    assert chosen == ["a", "b", "c"] * 2


def test_excluded_and_only_bind() -> None:
    """A tried endpoint is not used again, and ``only`` is used or nothing is."""
    bench = Bench(9, 9)
    assert {bench.lease(excluded=frozenset("a")).endpoint for _ in range(5)} == {"b"}
    assert {bench.lease(only="a").endpoint for _ in range(5)} == {"a"}
    for terms in ({"excluded": frozenset("ab")}, {"only": "a", "excluded": frozenset("a")}):
        [refused] = bench.ask(**terms)
        assert refused == Refused(bench.tickets, None)
    [refused] = bench.ask(only="stranger")
    assert isinstance(refused, Refused)
    assert bench.core.statistics(0.0).refused == 3


def test_a_missing_model_steers_but_does_not_forbid() -> None:
    """For `MISSING_S` a 404 is believed where another endpoint is left; other models go on."""
    bench = Bench(99, 99)
    bench.fail("a", Outcome.MODEL_MISSING)
    assert {bench.lease().endpoint for _ in range(4)} == {"b"}
    assert {bench.lease("other").endpoint for _ in range(8)} == {"a", "b"}
    assert bench.lease(excluded=frozenset("b")).endpoint == "a"
    assert bench.lease(only="a").endpoint == "a"
    assert not bench.endpoint("a").is_avoided
    bench.pass_s(MISSING_S - TICK_S)
    assert bench.lease().endpoint == "b"
    bench.pass_s(TICK_S)
    assert {bench.lease().endpoint for _ in range(6)} == {"a", "b"}


def test_missing_models_are_forgotten_oldest_first() -> None:
    """However many models are asked for, the memory of what is missing stays small."""
    bench = Bench(9, 9)
    for number in range(MISSING_MODELS_MAX + 1):
        bench.end(bench.lease(f"m{number}", only="a"), Outcome.MODEL_MISSING)
    seen = {bench.lease("m0", only="").endpoint for _ in range(8)}
    assert seen == {"a", "b"}
    assert bench.lease("m1").endpoint == "b"


# ---- avoiding


def test_avoidance_doubles_up_to_a_cap() -> None:
    """Each failure after the last avoidance doubles the time, to `AVOID_S_MAX`; ticks decide."""
    bench = Bench(99, 99)
    expected_s = AVOID_S
    for number in range(1, 12):
        bench.fail("a")
        assert bench.endpoint("a").failures_in_row == number
        bench.now_s += expected_s - TICK_S
        assert bench.endpoint("a").is_avoided
        assert bench.lease().endpoint == "b"
        bench.now_s += 2 * TICK_S
        assert not bench.endpoint("a").is_avoided
        expected_s = min(2 * expected_s, AVOID_S_MAX)
    assert expected_s == AVOID_S_MAX


def test_a_burst_of_failures_counts_once() -> None:
    """Requests that fail together are one event, not thirty."""
    bench = Bench(9, 9)
    leases = [bench.lease(only="a") for _ in range(9)]
    for lease in leases:
        bench.end(lease, Outcome.FAILED)
    assert bench.endpoint("a").failures_in_row == 1
    bench.now_s += AVOID_S + TICK_S
    assert not bench.endpoint("a").is_avoided


@pytest.mark.parametrize(
    ("outcome", "clears", "avoids"),
    [
        (Outcome.DONE, True, False),
        (Outcome.REJECTED, True, False),
        (Outcome.MODEL_MISSING, False, False),
        (Outcome.UNUSED, False, False),
        (Outcome.BUSY, False, True),
        (Outcome.FAILED, False, True),
    ],
)
def test_what_each_outcome_says_of_the_endpoint(
    outcome: Outcome, *, clears: bool, avoids: bool
) -> None:
    """Answers clear the past, failures and push-back avoid, the rest says nothing."""
    bench = Bench(9, 9)
    bench.fail("b", outcome)
    assert bench.endpoint("b").is_avoided is avoids
    assert bench.endpoint("b").outcomes == {outcome.value: 1}
    bench.fail("a")
    bench.fail("a", outcome)
    assert bench.endpoint("a").is_avoided is not clears
    assert bench.endpoint("a").failures_in_row == (0 if clears else 1)


def test_avoided_endpoints_are_used_when_no_other_can_be() -> None:
    """Avoidance orders, it does not forbid: a fleet that is all avoided still works."""
    bench = Bench(2, 2)
    bench.fail("a")
    assert [bench.lease().endpoint for _ in range(4)] == ["b", "b", "a", "a"]


def test_an_endpoint_that_is_not_there_can_be_released() -> None:
    """A lease on an endpoint that has left the pool is dropped."""
    assert Bench(1).end(Lease(1, "gone", "m")) == []


# ---- the line


def test_priority_then_order_of_arrival() -> None:
    """The line is served by priority, and among equals first come first served."""
    bench = Bench(1)
    lease = bench.lease()
    low = [bench.queue(priority=0) for _ in range(2)]
    high = [bench.queue(priority=5) for _ in range(2)]
    lower = bench.queue(priority=-1)
    served = []
    for _ in range(5):
        [effect] = bench.end(lease)
        assert isinstance(effect, Granted)
        served.append(effect.ticket)
        lease = effect.lease
    assert served == [*high, *low, lower]


def test_who_cannot_be_served_does_not_hold_up_others() -> None:
    """One that waits for a full endpoint lets pass one whose endpoint is free."""
    bench = Bench(1, 1)
    first, second = bench.lease(only="a"), bench.lease(only="b")
    stuck = bench.queue(only="a", priority=9)
    free = bench.queue(only="b")
    assert tickets(bench.end(second)) == [free]
    assert tickets(bench.end(first)) == [stuck]


@pytest.mark.parametrize("line_max", [0, 1, 7])
def test_the_line_has_an_end(line_max: int) -> None:
    """One more than `line_max` is refused, and told how long to wait."""
    bench = Bench(1, line_max=line_max)
    bench.lease()
    for _ in range(line_max):
        bench.queue()
    [refused] = bench.ask(priority=99)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, OverloadError)
    assert 1.0 <= refused.error.retry_after_s <= 60.0
    assert bench.waiting == line_max


@pytest.mark.parametrize(("waiting", "wait_s"), [(1, 1.0), (12, 3.0), (1_000, 60.0)])
def test_how_long_to_wait_follows_the_line(waiting: int, wait_s: float) -> None:
    """The advice is the line over what is in flight, within its bounds."""
    bench = Bench(4, line_max=waiting)
    for _ in range(4):
        bench.lease()
    for _ in range(waiting):
        bench.queue()
    [refused] = bench.ask()
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, OverloadError)
    assert refused.error.retry_after_s == wait_s


def test_deadlines_one_tick_before_and_after() -> None:
    """In line until the deadline, refused at it, with the time that was waited."""
    bench = Bench(1)
    lease = bench.lease()
    late = bench.queue(deadline_s=bench.now_s + 5)
    later = bench.queue(deadline_s=bench.now_s + 6)
    assert bench.core.next_due_s() == bench.now_s + 5
    assert bench.pass_s(5 - TICK_S) == []
    [refused] = bench.pass_s(TICK_S)
    assert isinstance(refused, Refused)
    assert refused.ticket == late
    assert isinstance(refused.error, DeadlineExceededError)
    assert refused.error.limit_s == pytest.approx(5)
    assert bench.core.next_due_s() == bench.now_s + 1
    assert tickets(bench.end(lease)) == [later]
    assert bench.core.next_due_s() is None


def test_the_late_are_dropped_before_dispatch() -> None:
    """A free place is not given to one whose deadline has come, though nobody looked yet."""
    bench = Bench(1)
    lease = bench.lease()
    late = bench.queue(deadline_s=bench.now_s + 1, priority=1)
    alive = bench.queue()
    bench.now_s += 1
    refused, granted = bench.end(lease)
    assert isinstance(refused, Refused)
    assert isinstance(granted, Granted)
    assert (refused.ticket, granted.ticket) == (late, alive)


def test_a_request_that_comes_too_late_takes_no_place() -> None:
    """Even a free endpoint is not given to a request whose deadline has come."""
    bench = Bench(1)
    [refused] = bench.ask(deadline_s=bench.now_s)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, DeadlineExceededError)
    assert bench.lease(deadline_s=bench.now_s + TICK_S)


def test_abandoning_gives_the_place_up() -> None:
    """Who leaves is not served; leaving twice, or after being served, does nothing."""
    bench = Bench(1)
    lease = bench.lease()
    first, second, third = (bench.queue(priority=p) for p in (0, 3, 0))
    for ticket in (second, first, first, 999):
        assert bench.core.handle(Abandon(ticket), bench.now_s) == ()
    assert bench.waiting == 1
    [granted] = bench.end(lease)
    assert isinstance(granted, Granted)
    assert granted.ticket == third
    assert bench.core.handle(Abandon(third), bench.now_s) == ()
    assert bench.endpoint("a").in_flight == 1


# ---- at random


NAMES = "abc"


class Walk(RuleBasedStateMachine):
    """Any messages in any order; a model of who holds what is kept beside."""

    @initialize(
        limits=st.lists(st.integers(1, 3), min_size=1, max_size=3), line_max=st.integers(0, 5)
    )
    def begin(self, limits: list[int], line_max: int) -> None:
        """Make a pool."""
        self.bench = Bench(*limits, line_max=line_max)
        self.limits = dict(zip(NAMES, limits, strict=False))
        self.line_max = line_max
        self.held: dict[int, Lease] = {}
        self.line: dict[int, Acquire] = {}
        self.granted: set[int] = set()
        self.refused: set[int] = set()
        self.released = 0

    @rule(
        priority=st.integers(-1, 1),
        wait_s=st.sampled_from([0.5, 3.0, math.inf]),
        excluded=st.frozensets(st.sampled_from(NAMES), max_size=2),
        only=st.sampled_from(["", "", "", "a", "b"]),
        model=st.sampled_from("mn"),
    )
    def ask(self, priority: int, wait_s: float, model: str, **terms: Any) -> None:
        """Somebody asks."""
        was_full = len(self.line) >= self.line_max
        terms |= {"deadline_s": self.bench.now_s + wait_s, "priority": priority}
        effects = self.bench.ask(model, **terms)
        ticket = self.bench.tickets
        if not effects:
            assert not was_full
            self.line[ticket] = Acquire(ticket, model, asked_s=self.bench.now_s, **terms)
        self.apply(effects, {ticket})

    @precondition(lambda self: self.held)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def release(self, data: st.DataObject, outcome: Outcome) -> None:
        """Somebody is done."""
        number = data.draw(st.sampled_from(sorted(self.held)))
        self.released += 1
        waiting = sorted(self.line.values(), key=lambda ask: (-ask.priority, ask.ticket))
        effects = self.bench.end(self.held.pop(number), outcome)
        served = [effect.ticket for effect in effects if isinstance(effect, Granted)]
        assert served == [ask.ticket for ask in waiting if ask.ticket in served]
        self.apply(effects, set(self.line))

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        """Somebody leaves the line."""
        ticket = data.draw(st.sampled_from(sorted(self.line)))
        assert self.bench.core.handle(Abandon(ticket), self.bench.now_s) == ()
        del self.line[ticket]

    @rule(seconds=st.sampled_from([0.001, 0.5, 2.0, 40.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; the late, and only they, are told."""
        effects = self.bench.pass_s(seconds)
        late = {t for t, ask in self.line.items() if ask.deadline_s <= self.bench.now_s}
        assert {effect.ticket for effect in effects} == late
        self.apply(effects, late)

    def apply(self, effects: list[PoolEffect], allowed: set[int]) -> None:
        """Note what was decided; nobody is told twice."""
        for effect in effects:
            assert effect.ticket in allowed
            assert effect.ticket not in self.granted | self.refused
            ask = self.line.pop(effect.ticket, None)
            if isinstance(effect, Granted):
                assert ask is None or ask.deadline_s > self.bench.now_s
                assert ask is None or effect.lease.endpoint not in ask.excluded
                assert ask is None or ask.only in ("", effect.lease.endpoint)
                assert effect.lease.number not in self.held
                self.granted.add(effect.ticket)
                self.held[effect.lease.number] = effect.lease
            else:
                self.refused.add(effect.ticket)

    @invariant()
    def conservation(self) -> None:
        """Granted = released + in flight; within limits; nobody waits beside a free place."""
        statistics = self.bench.core.statistics(self.bench.now_s)
        assert statistics.granted == self.released + len(self.held) == len(self.granted)
        assert statistics.refused == len(self.refused)
        assert statistics.waiting == len(self.line) <= self.line_max
        due = min((ask.deadline_s for ask in self.line.values()), default=None)
        assert self.bench.core.next_due_s() == due
        for endpoint in statistics.endpoints:
            mine = [lease for lease in self.held.values() if lease.endpoint == endpoint.name]
            assert endpoint.in_flight == len(mine) <= endpoint.in_flight_max
            assert endpoint.granted == sum(endpoint.outcomes.values()) + endpoint.in_flight
            assert endpoint.in_flight_max == self.limits[endpoint.name]


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_walk_ends_with_everyone_told(seed: int) -> None:
    """10,000 random steps lose nobody; when all leases are back, the line is empty."""
    draw = random.Random(seed)
    bench = Bench(3, 2, 4, line_max=50)
    held: list[Lease] = []
    told = 0
    for _ in range(10_000):
        if draw.random() < 0.55:
            effects = bench.ask(
                priority=draw.randint(0, 2),
                deadline_s=bench.now_s + draw.expovariate(0.5),
                excluded=frozenset(draw.sample("abc", draw.randint(0, 2))),
            )
        elif held:
            lease = held.pop(draw.randrange(len(held)))
            effects = bench.end(lease, draw.choice(list(Outcome)))
        else:
            effects = bench.pass_s(draw.random())
        told += len(effects)
        held += [effect.lease for effect in effects if isinstance(effect, Granted)]
    while held:
        effects = bench.end(held.pop())
        told += len(effects)
        held += [effect.lease for effect in effects if isinstance(effect, Granted)]
    assert bench.waiting == 0
    assert told == bench.tickets
