"""The pool's shell: waiting, leaving, deadlines, and no wake-up lost."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
from tests.engine.actors.pool.asking import acquire
from trio.testing import MockClock, wait_all_tasks_blocked

from triollama._config import EndpointConfig
from triollama._errors import DeadlineExceededError, FleetUnavailableError, OverloadError
from triollama.actors.pool import Lease, Outcome, Pool
from triollama.actors.pool.messages import Acquire


def pool_of(*limits: int, line_max: int = 100) -> Pool:
    """A pool of endpoints a, b, … with these limits."""
    fleet = [
        EndpointConfig(f"http://{name}:1", name, max_in_flight=limit)
        for name, limit in zip("abcdef", limits, strict=False)
    ]
    return Pool(fleet, line_max=line_max)


def in_flight(pool: Pool) -> int:
    """Leases that are out."""
    return sum(endpoint.in_flight for endpoint in pool.statistics().endpoints)


@pytest.fixture
async def single(nursery: trio.Nursery) -> AsyncIterator[Pool]:
    """A running pool with one place."""
    pool = pool_of(1)
    await nursery.start(pool.run)
    yield pool
    assert (in_flight(pool), pool.statistics().waiting) == (0, 0)


async def test_a_free_place_is_given_without_giving_way(single: Pool) -> None:
    """A lease that is there costs no turn of the loop."""
    steps = 0

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += 1

    counter = Count()
    trio.lowlevel.add_instrument(counter)
    lease = await acquire(single, "m")
    trio.lowlevel.remove_instrument(counter)
    assert steps == 0
    single.release(lease, Outcome.DONE)


async def test_the_line_is_served_in_order(single: Pool, nursery: trio.Nursery) -> None:
    """Each release lets the next one in, by priority and then arrival."""
    served = []

    async def use(name: str, priority: int) -> None:
        lease = await acquire(single, "m", priority=priority)
        served.append(name)
        await trio.lowlevel.checkpoint()
        single.release(lease, Outcome.DONE)

    lease = await acquire(single, "m")
    for name, priority in (("first", 0), ("second", 0), ("urgent", 1)):
        nursery.start_soon(use, name, priority)
        await wait_all_tasks_blocked()
    assert single.statistics().waiting == 3
    single.release(lease, Outcome.DONE)
    await wait_all_tasks_blocked()
    assert served == ["urgent", "first", "second"]


async def test_leaving_gives_the_place_in_line_up(single: Pool, nursery: trio.Nursery) -> None:
    """A cancelled wait holds neither a lease nor a place."""
    lease = await acquire(single, "m")
    with trio.CancelScope() as scope:
        nursery.start_soon(_cancel_when_blocked, scope)
        await acquire(single, "m")
    assert scope.cancelled_caught
    assert single.statistics().waiting == 0
    single.release(lease, Outcome.DONE)
    single.release(await acquire(single, "m"), Outcome.DONE)


async def _cancel_when_blocked(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


@pytest.mark.parametrize("cancel_first", [False, True])
async def test_granted_and_cancelled_in_one_moment(
    single: Pool, nursery: trio.Nursery, *, cancel_first: bool
) -> None:
    """Whichever came first, the lease is held by the caller or is back."""
    lease = await acquire(single, "m")
    scope = trio.CancelScope()
    got: list[Lease] = []

    async def wait() -> None:
        with scope:
            got.append(await acquire(single, "m"))

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    if cancel_first:
        scope.cancel()
    single.release(lease, Outcome.DONE)
    scope.cancel()
    await wait_all_tasks_blocked()
    assert len(got) == (0 if cancel_first else 1)
    assert in_flight(single) == len(got)
    for each in got:
        single.release(each, Outcome.DONE)


async def test_a_lease_for_one_who_left_goes_to_the_next(
    single: Pool, nursery: trio.Nursery
) -> None:
    """A lease granted to a cancelled wait is handed on: nobody behind it waits for ever."""
    lease = await acquire(single, "m")
    leaver = trio.CancelScope()
    got: list[Lease] = []

    async def wait(scope: trio.CancelScope) -> None:
        with scope:
            got.append(await acquire(single, "m"))

    nursery.start_soon(wait, leaver)
    await wait_all_tasks_blocked()
    nursery.start_soon(wait, trio.CancelScope())
    await wait_all_tasks_blocked()
    leaver.cancel()
    single.release(lease, Outcome.DONE)
    await wait_all_tasks_blocked()
    assert len(got) == 1
    single.release(got[0], Outcome.DONE)


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_cancelled_wait_leaves_no_trace(single: Pool, *, has_begun: bool) -> None:
    """All numbers, and what the next one gets, are as if it had never asked."""
    lease = await acquire(single, "m")
    before = single.statistics()
    for _ in range(3):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    terms: dict[str, Any] = {
                        "body_bytes": 1_000,
                        "has_begun": has_begun,
                        "deadline_s": 1e9,
                    }
                    nursery.start_soon(partial(acquire, single, "m", **terms))
                await wait_all_tasks_blocked()
                assert single.statistics().waiting_bytes == 5_000
                scope.cancel()
        assert single.statistics() == before
        assert not single._waiting
        assert single._core.next_due_s() == math.inf
    single.release(lease, Outcome.DONE)
    single.release(await acquire(single, "m"), Outcome.DONE)


async def test_a_wait_that_is_cancelled_from_the_start(single: Pool) -> None:
    """It gives the place up that was asked for just before."""
    lease = await acquire(single, "m")
    ticket = single.new_ticket()
    assert single.ask(Acquire(ticket, "m", math.inf, trio.current_time())) is None
    assert single.statistics().waiting == 1
    with trio.CancelScope() as scope:
        scope.cancel()
        await single.wait(ticket)
    assert scope.cancelled_caught
    assert single.statistics().waiting == 0
    single.release(lease, Outcome.DONE)


async def test_deadlines_in_line(
    autojump_clock: MockClock, single: Pool, nursery: trio.Nursery
) -> None:
    """Each is told at its own deadline, whatever the order in which they came."""
    lease = await acquire(single, "m")
    told: list[tuple[int, float]] = []

    async def wait(seconds: int) -> None:
        with pytest.raises(DeadlineExceededError) as caught:
            await acquire(single, "m", deadline_s=trio.current_time() + seconds)
        assert caught.value.limit_s == pytest.approx(seconds)
        told.append((seconds, trio.current_time() - started_s))

    started_s = trio.current_time()
    for seconds in (30, 10, 20, 10):
        nursery.start_soon(wait, seconds)
    await trio.sleep(9.999)
    assert single.statistics().waiting == 4
    await trio.sleep(25)
    assert [seconds for seconds, _ in told] == [10, 10, 20, 30]
    assert all(at == pytest.approx(seconds) for seconds, at in told)
    single.release(lease, Outcome.DONE)


async def test_refusals_are_raised() -> None:
    """A full line and a tried fleet have their own errors."""
    pool = pool_of(1, line_max=0)
    lease = await acquire(pool, "m")
    with pytest.raises(OverloadError):
        await acquire(pool, "m")
    with pytest.raises(FleetUnavailableError):
        await acquire(pool, "m", excluded=frozenset("a"))
    pool.release(lease, Outcome.DONE)


async def test_its_task_can_be_started_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Who waits while the task is down is told by the next one."""
    pool = pool_of(1)
    lease = await acquire(pool, "m")
    with trio.move_on_after(1) as scope:
        await nursery.start(pool.run)
        await trio.sleep_forever()
    assert scope.cancelled_caught
    told = trio.Event()

    async def wait() -> None:
        with pytest.raises(DeadlineExceededError):
            await acquire(pool, "m", deadline_s=trio.current_time() + 5)
        told.set()

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    await nursery.start(pool.run)
    with trio.fail_after(5.1):
        await told.wait()
    pool.release(lease, Outcome.DONE)


@pytest.mark.parametrize("seed", range(5))
async def test_no_wake_up_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery, seed: int
) -> None:
    """Among 300 that ask, work, leave and time out at random, each ends and all is back."""
    draw = random.Random(seed)
    pool = pool_of(2, 3, line_max=200)
    await nursery.start(pool.run)
    ended = dict.fromkeys(("done", "late", "left", "refused"), 0)

    async def use(start_s: float, work_s: float, patience_s: float, leave_s: float) -> None:
        await trio.sleep(start_s)
        with trio.move_on_after(leave_s) as scope:
            try:
                deadline_s = trio.current_time() + patience_s
                lease = await acquire(pool, "m", deadline_s=deadline_s, priority=int(work_s))
            except DeadlineExceededError:
                ended["late"] += 1
                return
            except OverloadError:
                ended["refused"] += 1
                return
            try:
                await trio.sleep(work_s)
                ended["done"] += 1
            finally:
                pool.release(lease, draw.choice(list(Outcome)))
        ended["left"] += scope.cancelled_caught

    with trio.fail_after(10_000):
        async with trio.open_nursery() as users:
            for _ in range(300):
                patience_s = draw.choice([math.inf, draw.uniform(0, 20)])
                leave_s = draw.choice([math.inf, math.inf, draw.uniform(0, 20)])
                terms = draw.uniform(0, 30), draw.uniform(0, 3), patience_s, leave_s
                users.start_soon(use, *terms)
    assert sum(ended.values()) == 300
    assert min(ended["done"], ended["late"], ended["left"]) > 0
    assert (in_flight(pool), pool.statistics().waiting) == (0, 0)
