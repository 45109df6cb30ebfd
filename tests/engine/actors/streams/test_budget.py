"""The retry budget, and the pauses between attempts."""

from __future__ import annotations

import pytest

from triollama.actors.streams.budget import (
    BACKOFF_S,
    BACKOFF_S_MAX,
    BALANCE_MAX,
    FLOOR,
    FLOOR_S,
    RetryBudget,
    backoff_s,
)


def spend_all(budget: RetryBudget, now_s: float) -> int:
    """Take what there is; how many retries that were."""
    taken = 0
    while budget.try_spend(now_s):
        taken += 1
    return taken


@pytest.mark.parametrize("at_once", [True, False])
def test_ten_thousand_failing_requests(at_once: bool) -> None:  # noqa: FBT001
    """10,000 requests that all fail, each asking for ten retries: 12,000 attempts + floor."""
    budget = RetryBudget()
    attempts = 0
    for number in range(10_000):
        now_s = 0.0 if at_once else number * 0.001
        budget.on_request(now_s)
        attempts += 1 + sum(budget.try_spend(now_s) for _ in range(10))
    assert attempts <= 12_000 + FLOOR
    assert attempts >= 12_000  # the budget is given, not only withheld
    assert budget.spent == attempts - 10_000
    assert budget.spent + budget.denied == 100_000


def test_a_lone_request_may_be_sent_again() -> None:
    """From the start the floor is there."""
    budget = RetryBudget(ratio=0.0)
    budget.on_request(0.0)
    assert spend_all(budget, 0.0) == FLOOR


def test_the_floor_comes_back_and_no_more() -> None:
    """An empty budget fills to the floor in `FLOOR_S`, and stays there however long it is quiet."""
    budget = RetryBudget(ratio=0.0)
    spend_all(budget, 0.0)
    one_s = FLOOR_S / FLOOR
    assert not budget.try_spend(one_s - 0.001)
    assert budget.try_spend(one_s + 0.001)
    assert spend_all(budget, one_s + FLOOR_S + 0.002) == FLOOR
    assert spend_all(budget, 1e9) == FLOOR


def test_the_floor_is_no_addition_to_the_share() -> None:
    """At any rate of requests the retries are the larger of share and floor, not the sum."""
    for requests_per_s, expected in ((0.1, 0.3), (1.0, 0.3), (1.5, 0.3), (10.0, 2.0)):
        budget = RetryBudget()
        for number in range(int(1_000 * requests_per_s)):
            now_s = number / requests_per_s
            budget.on_request(now_s)
            spend_all(budget, now_s)
        assert budget.spent / 1_000 == pytest.approx(expected, rel=0.05)


def test_the_floor_comes_back_soon_after_a_storm() -> None:
    """However many requests paid, the floor fills again from `FLOOR_S` after the last."""
    budget = RetryBudget()
    for _ in range(10_000):
        budget.on_request(0.0)
    spend_all(budget, 0.0)
    assert not budget.try_spend(FLOOR_S)
    assert spend_all(budget, 2 * FLOOR_S) == FLOOR


@pytest.mark.parametrize(("ratio", "requests"), [(0.2, 5), (0.1, 10), (1.0, 1)])
def test_every_few_requests_pay_for_a_retry(ratio: float, requests: int) -> None:
    """Without a floor exactly every 1 / ratio requests pay for one, in spite of rounding."""
    budget = RetryBudget(ratio=ratio, floor=0)
    allowed = []
    for _ in range(1_000):
        budget.on_request(0.0)
        allowed.append(budget.try_spend(0.0))
    assert allowed == ([False] * (requests - 1) + [True]) * (1_000 // requests)


def test_quiet_times_do_not_pay_for_a_storm() -> None:
    """However many requests went well, only `BALANCE_MAX` retries are saved up."""
    budget = RetryBudget()
    for _ in range(10_000):
        budget.on_request(0.0)
    assert budget.balance(0.0) == BALANCE_MAX
    assert spend_all(budget, 0.0) == BALANCE_MAX


def test_the_floor_does_not_take_away() -> None:
    """What is over the floor stays as time passes."""
    budget = RetryBudget()
    for _ in range(100):
        budget.on_request(0.0)
    assert budget.balance(1e6) == pytest.approx(FLOOR + 20)


@pytest.mark.parametrize(
    ("failures", "longest_s"),
    [(1, 0.05), (2, 0.1), (3, 0.2), (7, 3.2), (8, 5.0), (9, 5.0), (10_000, 5.0)],
)
def test_backoff_doubles_up_to_its_limit(failures: int, longest_s: float) -> None:
    """The longest pause doubles with each failure, up to five seconds."""
    assert backoff_s(failures, 0.0) == 0.0
    assert backoff_s(failures, 0.5) == pytest.approx(longest_s / 2)
    assert backoff_s(failures, 0.999_999) == pytest.approx(longest_s, rel=1e-5)
    assert BACKOFF_S <= longest_s <= BACKOFF_S_MAX
