"""A4: one caller that asks for fifty times its share beside nine who are polite."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
from tests.engine.actors.pool.world import Request, World, p99

from triollama._errors import DeadlineExceededError
from triollama.actors.pool.messages import Granted, Outcome, Refused, Released

POLITE = tuple(f"polite {number}" for number in range(9))
GREEDY = "greedy"
BEGIN_S, END_S = 30.0, 150.0


@cache
def shared(
    seed: int,
    *,
    is_alone: bool = False,
    is_told: bool = True,
    is_even: bool = False,
    share: float = 0.5,
    line_max: int = 10_000,
    patience_s: float = math.inf,
    tags: frozenset[str] = frozenset(),
) -> World:
    """Nine callers with part of their share each; unless they are alone, a tenth with fifty."""
    world = World(seed, servers=4, slots=8, is_told=is_told, line_max=line_max, tags=["gpu"])
    world.warm_up()
    fair_per_s = world.capacity_per_s / 10
    world.flow(0.7 * world.capacity_per_s, world.now_s, BEGIN_S)
    for number, caller in enumerate(POLITE):
        from_s = BEGIN_S + number / 9 / fair_per_s
        asks: dict[str, Any] = {"caller": caller, "patience_s": patience_s}
        world.flow(share * fair_per_s, from_s, END_S, is_even=is_even, **asks)
    if not is_alone:
        asks = {"caller": GREEDY, "patience_s": patience_s, "tags": tags}
        world.flow(50.0 * fair_per_s, BEGIN_S, END_S, **asks)
    world.run(END_S)
    return world


def polite(world: World) -> list[Request]:
    """Their requests, but for the first and those that may still run."""
    found = [each for each in world.between(BEGIN_S, END_S - 10.0) if each.caller in POLITE]
    assert len(found) > 500
    return found


def times_longer(seed: int, **terms: Any) -> float:
    """How much longer the 99th percentile of wait and answer is than without the greedy one."""
    alone, beside = (shared(seed, is_alone=is_alone, **terms) for is_alone in (True, False))
    return p99(each.took_s for each in polite(beside)) / p99(each.took_s for each in polite(alone))


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_polite_callers_hardly_notice(seed: int, *, is_told: bool) -> None:
    """With half of its share each, at random times, their p99 is at most 1.25 times as long."""
    assert times_longer(seed, is_told=is_told) <= 1.25


@pytest.mark.parametrize("is_told", [True, False])
def test_polite_callers_who_come_evenly_may_use_most_of_their_share(*, is_told: bool) -> None:
    """With 0.8 of its share each, one after the other, the same holds."""
    assert times_longer(1, is_told=is_told, is_even=True, share=0.8) <= 1.25


def test_the_greedy_one_gets_what_is_left() -> None:
    """Nothing is kept free: it has the other half of the fleet."""
    world = shared(0)
    whole = [each.caller for each in world.requests if BEGIN_S <= (each.done_s or 0.0) < END_S]
    rate = len(whole) / (END_S - BEGIN_S)
    assert rate >= 0.95 * world.capacity_per_s
    assert whole.count(GREEDY) / len(whole) == pytest.approx(0.55, abs=0.05)


@pytest.mark.parametrize("patience_s", [10.0, 30.0])
def test_polite_callers_with_deadlines_are_not_refused(patience_s: float) -> None:
    """It is their turn next: the line of the greedy one does not make their deadline hopeless."""
    refused = [each for each in polite(shared(0, patience_s=patience_s)) if each.error]
    assert len(refused) <= 0.01 * len(polite(shared(0, patience_s=patience_s)))


def test_a_line_that_one_caller_filled_has_room_for_others() -> None:
    """The greedy one is refused, not those who have nothing in line."""
    assert [each for each in polite(shared(0, line_max=200)) if each.error] == []


def test_a_greedy_caller_with_other_tags_is_not_served_first() -> None:
    """Though its requests wait in a class of their own, and grow old there."""
    assert times_longer(0, tags=frozenset({"gpu"})) <= 1.25


def test_who_was_quiet_has_saved_nothing_up() -> None:
    """One that comes later takes turns with those who were there, from then on."""
    world = World(1, servers=1, slots=1)
    for _ in range(60):
        world.ask("early")
    world.run(60.0)
    before = sum(each.granted_s is not None for each in world.requests)
    assert 20 <= before <= 40
    for _ in range(30):
        world.ask("late")
    world.run(90.0)
    served = [each for each in world.requests if (each.granted_s or 0.0) > 60.0]
    assert sum(each.caller == "late" for each in served) == pytest.approx(len(served) / 2, abs=1)


# ---- deadlines


def burst(count: int, patience_s: float) -> World:
    """As many requests at once as nobody can answer in time, at a fleet that is not known yet."""
    world = World(1, servers=2, slots=4)
    world.warm_up()
    for _ in range(count):
        world.ask(patience_s=patience_s)
    world.run(100.0)
    world.check_quiet()
    return world


def test_what_is_past_its_deadline_is_not_sent() -> None:
    """Who waits is told at the deadline at the latest, and no lease is given for it then."""
    requests = burst(200, 7.0).requests
    late = [each for each in requests if each.error]
    assert len(late) > 100
    for each in late:
        assert isinstance(each.error, DeadlineExceededError)
        assert each.lease is None
        assert each.ended_s is not None
        assert each.ended_s <= each.deadline_s
    assert all(each.granted_s < each.deadline_s for each in requests if each.granted_s is not None)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_sent_late_under_load(seed: int) -> None:
    """Whoever asks for how much, each lease is given before the deadline of its request."""
    world = shared(seed, patience_s=5.0)
    granted = [each for each in world.requests if each.granted_s is not None]
    assert len(granted) > 1_000
    assert all(each.granted_s < each.deadline_s for each in granted if each.granted_s is not None)


def test_what_waits_at_its_deadline_leaves_its_turn_to_others() -> None:
    """A place that becomes free at the very instant of a deadline goes to the one behind."""
    world = World(1, servers=1, slots=1, prefill_s=(1.0, 1.0), answer_s=(4.0, 4.0))
    world.warm_up()
    first = world.ask()
    late, behind = world.ask(patience_s=5.0), world.ask()
    world.run(100.0)
    world.check_quiet()
    assert first.done_s is not None
    assert (late.lease, late.ended_s) == (None, first.done_s)
    assert behind.granted_s == first.done_s


def test_a_clock_that_is_late_sends_nothing_late() -> None:
    """If the pool was not told that a deadline came, the next free place is not given for it."""
    world = World(1, servers=1, slots=1)
    first = world.ask()
    world.ask(patience_s=5.0)
    world.ask()
    assert first.lease is not None
    effects = world.core.handle(Released(first.lease, Outcome.DONE), 8.0)
    answered = [each for each in effects if isinstance(each, Granted | Refused)]
    assert [type(each) for each in answered] == [Refused, Granted]
    assert isinstance(answered[0], Refused)
    assert isinstance(answered[0].error, DeadlineExceededError)
