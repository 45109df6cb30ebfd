"""Another attempt is made at once where a server is known to work, else within the budget."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama._config import EngineConfig
from triollama.actors.streams.budget import BACKOFF_S, FLOOR
from triollama.actors.streams.messages import Call, Terms
from triollama.actors.streams.retry import RetryGate

CALL = Call("POST", "/api/chat", b"{}", "m", "m")


class FakePool:
    """A pool that knows of a server that works, or of none."""

    def __init__(self) -> None:
        self.works = False
        self.asked: list[dict[str, Any]] = []

    def has_standing(self, model: str, **where: Any) -> bool:
        """Whether there is one."""
        self.asked.append({"model": model, **where})
        return self.works


def gate(pool: FakePool, draw: float = 0.5, **config: Any) -> RetryGate:
    """A gate with one draw for ever."""
    return RetryGate(pool, EngineConfig(**config), lambda: draw)  # type: ignore[arg-type]  # a fake


async def test_where_another_works_nobody_waits(autojump_clock: MockClock) -> None:
    """However many attempts there are, and whatever the budget says."""
    pool = FakePool()
    pool.works = True
    retries = gate(pool)
    for _ in range(100):
        assert await retries.wait(CALL, Terms(), frozenset(), "a", 1)
    assert trio.current_time() == 0
    assert retries.budget.spent == 0


async def test_the_pool_is_asked_for_another_one(autojump_clock: MockClock) -> None:
    """One that may take this request, and is not the one where it has failed."""
    pool = FakePool()
    pool.works = True
    terms = Terms(endpoint="b", tags=frozenset({"gpu"}))
    await gate(pool).wait(CALL, terms, frozenset({"c"}), "a", 1)
    assert pool.asked == [
        {
            "model": "m",
            "excluded": frozenset({"c"}),
            "only": "b",
            "tags": frozenset({"gpu"}),
            "besides": "a",
        }
    ]


async def test_where_none_works_the_budget_counts(autojump_clock: MockClock) -> None:
    """The floor is there for a lone request; each pause is drawn up to twice the one before."""
    retries = gate(FakePool())
    waited_s = []
    for failures in (1, 2, 3):
        before_s = trio.current_time()
        assert await retries.wait(CALL, Terms(), frozenset(), "a", failures)
        waited_s.append(trio.current_time() - before_s)
    assert waited_s == pytest.approx([BACKOFF_S / 2, BACKOFF_S, BACKOFF_S * 2])
    assert retries.budget.spent == FLOOR


async def test_an_answer_that_has_begun_needs_no_budget(autojump_clock: MockClock) -> None:
    """To go on with it repeats nothing; but where no other server works, there is a pause."""
    retries = gate(FakePool())
    for _ in range(20):
        assert await retries.wait(CALL, Terms(), frozenset(), "a", 1, has_begun=True)
    assert retries.budget.spent == 0
    assert trio.current_time() == pytest.approx(20 * BACKOFF_S / 2)


async def test_with_the_budget_spent_it_ends_in_time(autojump_clock: MockClock) -> None:
    """After `retry_wait_s` without a sign of life the request is given up."""
    retries = gate(FakePool(), retry_wait_s=2.0)
    for _ in range(FLOOR):
        retries.budget.try_spend(0.0)
    assert not await retries.wait(CALL, Terms(), frozenset(), "a", 5)
    assert 2.0 <= trio.current_time() <= 2.0 + 5.0


async def test_a_server_that_comes_back_ends_the_wait(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """It is noticed at the next look."""
    pool = FakePool()
    retries = gate(pool)
    for _ in range(FLOOR):
        retries.budget.try_spend(0.0)

    async def come_back() -> None:
        await trio.sleep(1.0)
        pool.works = True

    nursery.start_soon(come_back)
    assert await retries.wait(CALL, Terms(), frozenset(), "a", 1)
    assert 1.0 <= trio.current_time() <= 4.0


async def test_after_a_pause_the_one_that_failed_counts_again(autojump_clock: MockClock) -> None:
    """It may be the one that works by then."""
    pool = FakePool()
    await gate(pool).wait(CALL, Terms(), frozenset(), "a", 1)
    pool.works = True
    await gate(pool).wait(CALL, Terms(), frozenset(), "a", 1)
    assert [each["besides"] for each in pool.asked] == ["a", "a"]
    pool.asked.clear()
    pool.works = False
    retries = gate(pool, retry_wait_s=1.0)
    for _ in range(FLOOR):
        retries.budget.try_spend(trio.current_time())
    await retries.wait(CALL, Terms(), frozenset(), "a", 5)
    assert pool.asked[0]["besides"] == "a"
    assert {each["besides"] for each in pool.asked[1:]} <= {""}


async def test_a_cancelled_wait_spends_nothing(autojump_clock: MockClock) -> None:
    """The budget is there for the others."""
    retries = gate(FakePool(), draw=0.9)
    with trio.move_on_after(BACKOFF_S / 10):
        await retries.wait(CALL, Terms(), frozenset(), "a", 3)
    assert retries.budget.spent == 0
