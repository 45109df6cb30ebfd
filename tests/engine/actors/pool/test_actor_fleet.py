"""The pool's shell: managing the fleet while it runs, and leaving the line without a trace."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
from tests.engine.actors.pool.asking import acquire
from trio.testing import MockClock, wait_all_tasks_blocked

from triollama._config import EndpointConfig
from triollama._errors import ConfigError, FleetUnavailableError
from triollama.actors.pool import Lease, Outcome, Pool


def config(name: str, url: str = "", **more: Any) -> EndpointConfig:
    """An endpoint with one place, unless said otherwise."""
    return EndpointConfig(url or f"http://{name}:1", name, **({"max_in_flight": 1} | more))


def names(pool: Pool) -> list[str]:
    """Who belongs to the fleet."""
    return [each.name for each in pool.statistics().endpoints]


def in_flight(pool: Pool) -> int:
    """Leases that are out."""
    return sum(each.in_flight for each in pool.statistics().endpoints)


@pytest.fixture
async def pool(nursery: trio.Nursery) -> AsyncIterator[Pool]:
    """A running pool of a and b; nothing is held at its end."""
    made = Pool([config("a"), config("b")], line_max=100, draw=lambda: 0.0)
    await nursery.start(made.run)
    yield made
    assert (in_flight(made), made.statistics().waiting) == (0, 0)
    assert not made._waiting
    assert not made._drained


# ---- what is refused


@pytest.mark.parametrize("method", ["drain", "remove"])
async def test_an_unknown_name(pool: Pool, method: str) -> None:
    """Is refused with the names that there are, and changes nothing."""
    with pytest.raises(ConfigError, match=r"no endpoint 'c'; there are: a, b"):
        getattr(pool, method)("c")
    with pytest.raises(ConfigError, match=r"no endpoint 'c'; there are: a, b"):
        pool.update(config("c"))
    assert names(pool) == ["a", "b"]
    assert not any(each.is_draining for each in pool.statistics().endpoints)


async def test_an_unknown_name_in_an_empty_fleet() -> None:
    """It says that there are none."""
    with pytest.raises(ConfigError, match=r"there are: none"):
        Pool([], line_max=1).drain("a")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("a", "http://new:1"),
        ("new", "http://a:1"),
        ("new", "HTTP://A:1/"),
        ("new", " http://a:0001 "),
    ],
)
async def test_added_twice(pool: Pool, name: str, url: str) -> None:
    """By its name, or its address in whatever spelling."""
    with pytest.raises(ConfigError, match=r"the endpoint 'a' \(http://a:1\) is there already"):
        pool.add(config(name, url))
    assert names(pool) == ["a", "b"]


async def test_added_twice_without_the_default_port() -> None:
    """A port that the scheme implies is the same port."""
    made = Pool([config("a", "https://a")], line_max=1)
    with pytest.raises(ConfigError, match="is there already"):
        made.add(config("b", "https://A:443/"))
    made.add(config("b", "http://a"))
    assert names(made) == ["a", "b"]


async def test_updated_to_the_address_of_another(pool: Pool) -> None:
    """In another spelling, too; to its own address, or to a new one, is no mistake."""
    with pytest.raises(ConfigError, match=r"the endpoint 'b' has the address http://b:1"):
        pool.update(config("a", "http://B:1/"))
    pool.update(config("a", "http://A:1/", max_in_flight=7))
    assert pool.statistics().endpoints[0].in_flight_max == 7
    pool.update(config("a", "http://c:1"))
    pool.add(config("c", "http://a:1"))
    assert names(pool) == ["a", "b", "c"]


async def test_removed_twice(pool: Pool) -> None:
    """While it leaves and when it is gone: there is none of that name."""
    lease = await acquire(pool, "m", only="a")
    pool.remove("a")
    assert names(pool) == ["a", "b"]
    for _ in range(2):
        for method in (pool.remove, pool.drain):
            with pytest.raises(ConfigError, match=r"no endpoint 'a'"):
                method("a")
        with pytest.raises(ConfigError, match=r"no endpoint 'a'"):
            pool.update(config("a"))
        if in_flight(pool):
            pool.release(lease, Outcome.DONE)
    assert names(pool) == ["b"]


async def test_one_that_leaves_cannot_be_added_until_it_is_gone(pool: Pool) -> None:
    """Its name and address are free with its last lease."""
    lease = await acquire(pool, "m", only="a")
    pool.remove("a")
    for again in (config("a", "http://new:1"), config("new", "http://a:1")):
        with pytest.raises(ConfigError, match="is there already"):
            pool.add(again)
    pool.release(lease, Outcome.DONE)
    pool.add(config("a"))
    assert names(pool) == ["b", "a"]
    assert pool.statistics().endpoints[1].granted == 0


async def test_to_hold_one_that_is_gone_is_nothing(pool: Pool) -> None:
    """A worker may learn of a rate limit after its endpoint was removed."""
    pool.remove("a")
    pool.hold("a", math.inf)
    assert names(pool) == ["b"]


# ---- who waits meanwhile


async def ask(pool: Pool, got: list[Lease | str], **terms: Any) -> None:
    """Wait for a lease; what came of it."""
    try:
        got.append(await acquire(pool, "m", **terms))
    except FleetUnavailableError:
        got.append("nobody")


async def test_who_waits_is_given_the_new_one(pool: Pool, nursery: trio.Nursery) -> None:
    """At the moment it is added."""
    leases = [await acquire(pool, "m") for _ in range(2)]
    got: list[Any] = []
    nursery.start_soon(ask, pool, got)
    await wait_all_tasks_blocked()
    pool.add(config("c"))
    await wait_all_tasks_blocked()
    assert [each.endpoint for each in got] == ["c"]
    for lease in (*leases, *got):
        pool.release(lease, Outcome.DONE)


@pytest.mark.parametrize("method", ["drain", "remove"])
async def test_who_waits_for_one_that_leaves_is_told(
    pool: Pool, nursery: trio.Nursery, method: str
) -> None:
    """There and then; who may go elsewhere waits on."""
    leases = [await acquire(pool, "m") for _ in range(2)]
    got: list[Any] = []
    for only in ("a", ""):
        nursery.start_soon(partial(ask, pool, got, only=only))
        await wait_all_tasks_blocked()
    getattr(pool, method)("a")
    await wait_all_tasks_blocked()
    assert got == ["nobody"]
    for lease in leases:
        pool.release(lease, Outcome.DONE)
    await wait_all_tasks_blocked()
    assert got[1].endpoint == "b"
    pool.release(got[1], Outcome.DONE)


async def test_an_update_puts_a_drained_one_back(pool: Pool) -> None:
    """Nothing is sent there before, and something after."""
    pool.drain("a")
    with pytest.raises(FleetUnavailableError):
        await acquire(pool, "m", only="a")
    pool.update(config("a"))
    pool.release(await acquire(pool, "m", only="a"), Outcome.DONE)


async def test_who_waits_is_served_when_a_hold_ends(
    autojump_clock: MockClock, pool: Pool, nursery: trio.Nursery
) -> None:
    """To the instant, though nothing else happens then, and not with the place that is free."""
    lease = await acquire(pool, "m", only="a")
    until_s = trio.current_time() + 3.0
    got: list[Any] = []
    nursery.start_soon(partial(ask, pool, got, only="a"))
    await wait_all_tasks_blocked()
    pool.hold("a", until_s)
    pool.release(lease, Outcome.DONE)
    await trio.sleep_until(until_s - 0.001)
    assert got == []
    await trio.sleep_until(until_s + 0.001)
    assert [each.granted_s for each in got] == [pytest.approx(until_s)]
    pool.release(got[0], Outcome.DONE)


# ---- waiting until nothing runs


async def test_wait_drained(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """All who wait for it are told with the last lease, and not with one before."""
    pool = Pool([config("a", max_in_flight=3)], line_max=100)
    leases = [await acquire(pool, "m") for _ in range(3)]
    pool.drain("a")
    told: list[float] = []

    async def wait() -> None:
        await pool.wait_drained("a")
        told.append(trio.current_time())

    for _ in range(2):
        nursery.start_soon(wait)
    started_s = trio.current_time()
    for lease in leases:
        await trio.sleep(1.0)
        assert told == []
        pool.release(lease, Outcome.DONE)
    await wait_all_tasks_blocked()
    assert told == [pytest.approx(started_s + 3.0)] * 2


@pytest.mark.parametrize("name", ["a", "never there"])
async def test_where_nothing_runs_nobody_waits(pool: Pool, name: str) -> None:
    """Drained or not, there or not."""
    with trio.fail_after(0):
        await pool.wait_drained(name)


async def test_wait_drained_can_be_left(pool: Pool) -> None:
    """Cancelled while it waits, it holds nothing, and can be asked again."""
    lease = await acquire(pool, "m", only="a")
    pool.remove("a")
    with trio.move_on_after(0.01) as scope:
        await pool.wait_drained("a")
    assert scope.cancelled_caught
    pool.release(lease, Outcome.DONE)
    await pool.wait_drained("a")
    assert names(pool) == ["b"]
