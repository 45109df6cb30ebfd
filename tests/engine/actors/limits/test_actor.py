"""The limiter's shell: sleeping until one's turn, leaving, and no wake-up lost."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio
from tests.engine.actors.limits.asking import reserve
from trio.testing import MockClock, wait_all_tasks_blocked

from triollama._config import RateLimit
from triollama._errors import DeadlineExceededError, InvalidRequestError, OverloadError
from triollama._facts import RequestDelayed
from triollama.actors.facts import FactHub
from triollama.actors.limits import Limiter, Reservation

Windows = Callable[..., None]


def limiter_of(*limits: RateLimit, facts: FactHub | None = None) -> Limiter:
    """A limiter with these limits."""
    return Limiter(limits, facts=facts or FactHub())


def check_idle(limiter: Limiter) -> None:
    """Nobody waits, nobody sleeps, and the sums are right."""
    now = limiter.statistics()
    assert now.waiting == 0
    assert now.asked == now.granted + now.refused + now.cancelled
    assert not limiter._sleeping


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    """Cancel once everybody waits."""
    await wait_all_tasks_blocked()
    scope.cancel()


def test_without_limits_it_need_not_be_asked() -> None:
    """`is_idle` says so."""
    assert limiter_of().is_idle
    assert not limiter_of(RateLimit("endpoint", "a", requests_per_s=1.0)).is_idle


async def test_what_is_free_is_granted_without_giving_way() -> None:
    """It costs no turn of the loop."""
    steps = 0

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += 1

    limiter, counter = limiter_of(RateLimit("engine", requests_per_s=1.0)), Count()
    trio.lowlevel.add_instrument(counter)
    await reserve(limiter, "m", "", 1)
    trio.lowlevel.remove_instrument(counter)
    assert steps == 0


async def test_requests_go_at_the_rate(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Each sleeps until its own turn; who had to wait, and for how long, is told."""
    facts = FactHub()
    limiter = limiter_of(RateLimit("model", requests_per_s=2.0), facts=facts)
    began_s, went = trio.current_time(), []

    async def go(number: int) -> None:
        await reserve(limiter, "m", "", 0)
        went.append((number, trio.current_time() - began_s))

    with facts.subscribe() as delays:
        for number in range(6):
            nursery.start_soon(go, number)
            await wait_all_tasks_blocked()
        await trio.sleep(10)
    assert [number for number, _ in went] == list(range(6))
    assert [at_s for _, at_s in went] == pytest.approx([0, 0, 0.5, 1.0, 1.5, 2.0])
    told = [fact async for fact in delays]
    assert all(isinstance(fact, RequestDelayed) and fact.scope == "model m" for fact in told)
    waits = [fact.wait_s for fact in told if isinstance(fact, RequestDelayed)]
    assert waits == pytest.approx([0.5, 1.0, 1.5, 2.0])
    check_idle(limiter)


async def test_many_under_several_limits(
    autojump_clock: MockClock, nursery: trio.Nursery, check_windows: Windows
) -> None:
    """All get their turn, no window sees too much, and nothing stays behind."""
    limits = [
        RateLimit("engine", requests_per_s=50.0, tokens_per_min=60_000.0, tokens_burst_s=1.0),
        RateLimit("model", requests_per_s=30.0),
        RateLimit("caller", tokens_per_min=30_000.0, tokens_burst_s=1.0),
    ]
    limiter, went, used = limiter_of(*limits), [], []

    async def go(number: int) -> None:
        reservation = await reserve(limiter, f"m{number % 2}", f"c{number % 3}", 40)
        at_s = trio.current_time()
        await trio.sleep(number % 7 / 10)
        cost = number % 41
        limiter.settle(reservation, cost)
        went.append((at_s, 1))
        used.append((at_s, cost))

    for number in range(500):
        nursery.start_soon(go, number)
    while len(went) < 500:
        await trio.sleep(1)
    check_windows(went, 50.0, 50.0)
    check_windows(used, 1_000.0, 1_000.0)
    check_idle(limiter)


async def test_what_is_given_back_wakes_those_who_wait(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Not at the time that was foreseen, but at once."""
    limiter = limiter_of(RateLimit("engine", tokens_per_min=600.0, tokens_burst_s=1.0))
    first = await reserve(limiter, "m", "", 10)
    began_s, went = trio.current_time(), []

    async def go() -> None:
        await reserve(limiter, "m", "", 10)
        went.append(trio.current_time() - began_s)

    nursery.start_soon(go)
    await trio.sleep(0.25)
    limiter.settle(first, 0)
    await trio.sleep(5)
    assert went == [0.25]


async def test_what_is_charged_makes_those_who_wait_wait_longer(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Or too long: then the deadline ends the wait."""
    limiter = limiter_of(RateLimit("engine", tokens_per_min=600.0, tokens_burst_s=1.0))
    first = await reserve(limiter, "m", "", 10)
    began_s, went, limits_s = trio.current_time(), [], []

    async def go(deadline_s: float) -> None:
        try:
            await reserve(limiter, "m", "", 5, deadline_s=began_s + deadline_s)
        except DeadlineExceededError as error:
            limits_s.append(error.limit_s)
            went.append(("late", trio.current_time() - began_s))
        else:
            went.append(("granted", trio.current_time() - began_s))

    nursery.start_soon(go, 1.0)
    await wait_all_tasks_blocked()
    nursery.start_soon(go, 100.0)
    await trio.sleep(0.25)
    limiter.settle(first, 30)
    await trio.sleep(50)
    assert [what for what, _ in went] == ["late", "granted"]
    assert [at_s for _, at_s in went] == pytest.approx([1.0, 2.5])
    assert limits_s == pytest.approx([1.0])
    check_idle(limiter)


@pytest.mark.parametrize("cancel_first", [False, True])
async def test_granted_and_cancelled_in_one_moment(
    autojump_clock: MockClock, nursery: trio.Nursery, *, cancel_first: bool
) -> None:
    """Whichever came first, the caller holds the reservation or everything is back."""
    limiter = limiter_of(RateLimit("engine", tokens_per_min=600.0, tokens_burst_s=1.0))
    first = await reserve(limiter, "m", "", 10)
    scope, got = trio.CancelScope(), []

    async def go() -> None:
        with scope:
            got.append(await reserve(limiter, "m", "", 10))

    nursery.start_soon(go)
    await wait_all_tasks_blocked()
    if cancel_first:
        scope.cancel()
    limiter.settle(first, 0)
    scope.cancel()
    await wait_all_tasks_blocked()
    for each in got:
        limiter.settle(each, 0)
    at_s = trio.current_time()
    await reserve(limiter, "m", "", 10)
    assert trio.current_time() == at_s
    check_idle(limiter)


async def test_leaving_lets_the_next_one_move_up(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """One who gives up neither takes anything nor holds up those behind."""
    limiter = limiter_of(RateLimit("engine", requests_per_s=1.0))
    await reserve(limiter, "m", "", 0)
    began_s, went = trio.current_time(), []

    async def go() -> None:
        await reserve(limiter, "m", "", 0)
        went.append(trio.current_time() - began_s)

    with trio.CancelScope() as scope:
        nursery.start_soon(cancel_when_blocked, scope)
        await reserve(limiter, "m", "", 0)
    assert scope.cancelled_caught
    nursery.start_soon(go)
    await trio.sleep(10)
    assert went == pytest.approx([1.0])
    assert limiter.statistics().cancelled == 1
    check_idle(limiter)


async def test_leaving_at_each_step(
    autojump_clock: MockClock, nursery: trio.Nursery, cancel_at_step: Any
) -> None:
    """However often it had given way, a cancelled wait leaves the buckets as they were."""
    for step in range(1, 6):
        limiter = limiter_of(
            RateLimit("caller", requests_per_s=1.0), RateLimit("engine", requests_per_s=0.5)
        )
        kept: list[Reservation] = [await reserve(limiter, "m", "a", 0)]
        await reserve(limiter, "m", "b", 0)
        with cancel_at_step(step):
            kept.append(await reserve(limiter, "m", "a", 0))
        await trio.sleep(20)
        check_idle(limiter)
        assert limiter.statistics().granted == len(kept) + 1
        at_s = trio.current_time()
        await reserve(limiter, "m", "a", 0)
        assert trio.current_time() == at_s


async def test_refusals_reach_the_caller() -> None:
    """At once, typed, and with nothing left behind."""
    limiter = limiter_of(
        RateLimit("engine", requests_per_s=1.0, tokens_per_min=600.0, tokens_burst_s=1.0)
    )
    with pytest.raises(InvalidRequestError, match="600 tokens a minute for engine"):
        await reserve(limiter, "m", "", 11)
    await reserve(limiter, "m", "", 1)
    with pytest.raises(OverloadError, match="deadline"):
        await reserve(limiter, "m", "", 1, deadline_s=trio.current_time() + 0.5)
    check_idle(limiter)
    assert limiter.statistics().refused == 2


async def test_a_wait_that_is_cancelled_from_the_start() -> None:
    """It gives back what was asked for just before."""
    limiter = limiter_of(RateLimit("engine", requests_per_s=1.0))
    limiter.ask("m", "", 1)
    reservation = limiter.ask("m", "", 1)
    assert (reservation.granted_s, limiter.statistics().waiting) == (None, 1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await limiter.wait(reservation)
    assert scope.cancelled_caught
    assert limiter.statistics().cancelled == 1
    check_idle(limiter)


async def test_an_endpoint_tells_how_long_to_wait(autojump_clock: MockClock) -> None:
    """And when it lets the next one through."""
    limiter = limiter_of(RateLimit("endpoint", "a", requests_per_s=1.0))
    now_s = trio.current_time()
    assert limiter.reserve_endpoint("a", 5) == 0.0
    assert limiter.next_free_s("a") == pytest.approx(now_s + 1)
    assert limiter.reserve_endpoint("a", 5) == pytest.approx(1.0)
    assert limiter.next_free_s("b") == now_s
    assert limiter.reserve_endpoint("b", 5) == 0.0


async def test_cancelling_gives_the_request_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """The next one goes in its place."""
    limiter = limiter_of(RateLimit("engine", requests_per_s=1.0))
    limiter.cancel(await reserve(limiter, "m", "", 0))
    at_s = trio.current_time()
    await reserve(limiter, "m", "", 0)
    assert trio.current_time() == at_s


async def test_a_request_costs_little() -> None:
    """Reserve and settle under all four scopes: 11 µs where it was measured, in 85 calls."""
    limits = [
        RateLimit(scope, requests_per_s=1e6, tokens_per_min=6e10, tokens_burst_s=1.0)
        for scope in ("engine", "endpoint", "model", "caller")
    ]
    limiter = limiter_of(*limits)
    limiter.settle(limiter.ask("llama3.2:latest", "me", 1_000), 400)
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    # Calls, since a time would depend on the machine, and on whether coverage is measured.
    sys.setprofile(count)
    reservation = limiter.ask("llama3.2:latest", "me", 1_000)
    limiter.reserve_endpoint("a", 1_000, reservation)
    limiter.settle(reservation, 400)
    sys.setprofile(None)
    assert calls <= 100, calls
