"""How late the event loop is, and for whom."""

from __future__ import annotations

import time

import trio
import trio.lowlevel
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.running import lag as lag_module
from triollama_adapters.loadtest.running.lag import Lag


@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=60),
    since=st.integers(-10, 2_000),
)
def test_it_is_the_largest_that_was_not_over(steps: list[tuple[int, int]], since: int) -> None:
    """As by looking through all of them."""
    lag, now, noted = Lag(), 0, [(0, 0)]
    for step, size in steps:
        now += step
        lag.note(now, size)
        noted.append((now, size))
    assert lag.since(since) == max((size for end, size in noted if end >= since), default=0)
    assert lag.largest_ns == max(size for _, size in noted)


def test_its_memory_is_bounded() -> None:
    """What falls together becomes too large, if anything."""
    lag, most = Lag(), lag_module.LAGS_MAX
    count = 3 * most
    for number in range(count):
        lag.note(number, count - number)  # each smaller than the one before: all are kept
    assert len(lag._lags_ns) <= most
    assert len(lag._lags_ns) == len(lag._ends_ns)
    for since in range(0, count, 97):
        assert lag.since(since) >= count - since
    assert lag.since(count) == 0


def test_the_largest_is_taken_once() -> None:
    """Since the last time."""
    lag = Lag()
    lag.note(1, 5)
    lag.note(2, 3)
    assert [lag.take_largest(), lag.take_largest()] == [5, 0]


def test_what_comes_after_the_load_is_none() -> None:
    """To cut off thousands of streams takes time that no request has to account for."""
    lag = Lag()
    lag.note(1, 5)
    lag.end()
    lag.note(2, 50)
    assert lag.since(0) == 5


async def test_a_turn_that_takes_long_is_noted(nursery: trio.Nursery) -> None:
    """From its beginning to its end, whoever made it long; and nobody listens afterwards."""
    lag = Lag()
    nursery.start_soon(lag.run)
    await trio.sleep(0.005)
    began_ns = time.perf_counter_ns()
    time.sleep(0.03)  # noqa: ASYNC251 - that is the point
    await trio.sleep(0.005)
    assert lag.since(began_ns) >= 29_000_000
    assert lag.since(time.perf_counter_ns()) == 0
    nursery.cancel_scope.cancel()


async def test_it_listens_only_while_it_runs() -> None:
    """Its hooks are gone when it is cancelled."""
    lag = Lag()
    with trio.move_on_after(0.01):
        await lag.run()
    lag.take_largest()
    time.sleep(0.01)  # noqa: ASYNC251
    await trio.lowlevel.checkpoint()
    assert lag.take_largest() == 0
