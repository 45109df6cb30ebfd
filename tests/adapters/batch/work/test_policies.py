"""Small decisions: lengths, times of day, tokens a minute, rows that are late."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.hedging import DONE_MIN, Hedging
from triollama_adapters.batch.work.items import Item
from triollama_adapters.batch.work.lengths import TOKENS_FIRST, Lengths
from triollama_adapters.batch.work.running import Running
from triollama_adapters.batch.work.tokens import BURST_S, TokenBudget
from triollama_adapters.batch.work.windows import parse_duration_s, parse_share, parse_time_window

ZONE = timezone(timedelta(hours=2))
DAY = datetime(2026, 8, 1, tzinfo=ZONE)


def at(text: str) -> datetime:
    """That time of day."""
    hour, minute = map(int, text.split(":"))
    return DAY.replace(hour=hour, minute=minute)


# ---- lengths


def test_a_limit_that_is_reached_is_the_length() -> None:
    """Before anything is known, and when answers mostly reach it."""
    lengths = Lengths()
    assert lengths.expected("m", None, 10) == TOKENS_FIRST
    assert lengths.expected("m", 500, 10) == 500.0
    for _ in range(50):
        lengths.learn("m", 100, 10, 100)
    assert lengths.expected("m", 700, 10) == pytest.approx(700.0)


def test_a_limit_that_is_not_reached_says_little() -> None:
    """Then rows of about the same size tell more."""
    lengths = Lengths()
    for _ in range(200):
        lengths.learn("m", 4_096, 100, 20)
        lengths.learn("m", 4_096, 10_000, 600)
    assert lengths.expected("m", 4_096, 110) < 100
    assert lengths.expected("m", 4_096, 9_000) > 400
    assert lengths.expected("m", 50, 9_000) == 50.0
    assert 200 < lengths.expected("m", None, 1) < 400  # of that size there is none
    assert lengths.expected("n", None, 110) == TOKENS_FIRST


# ---- times


@pytest.mark.parametrize(
    ("window", "now", "is_open"),
    [
        ("22:00-06:00", "23:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("22:00-06:00", "12:00", False),
        ("9:00-17:30", "17:29", True),
        ("9:00-17:30", "08:59", False),
    ],
)
def test_a_part_of_the_day(window: str, now: str, *, is_open: bool) -> None:
    """Also over midnight; and when it opens next is told."""
    parsed = parse_time_window(window)
    assert parsed.is_open(at(now)) is is_open
    opens = parsed.opens_next(at(now))
    assert at(now) < opens <= at(now) + timedelta(days=1)
    assert parsed.is_open(opens)
    told = parsed.why_not(at(now))
    assert told == ("" if is_open else f"nothing is begun before {opens:%H:%M}")


@pytest.mark.parametrize("text", ["", "22-6", "25:00-06:00", "22:60-06:00", "06:00-06:00", "x"])
def test_what_is_no_part_of_the_day(text: str) -> None:
    """It is told what would be one."""
    with pytest.raises(ChoiceError, match=r"22:00-06:00"):
        parse_time_window(text)


def test_durations_and_shares() -> None:
    """As users write them."""
    assert [parse_duration_s(each) for each in ("90s", "30m", "1.5 h", "5min")] == [
        90.0,
        1_800.0,
        5_400.0,
        300.0,
    ]
    assert (parse_share("50%"), parse_share("100 %")) == (0.5, 1.0)
    for text in ("", "30", "-5m", "0s"):
        with pytest.raises(ChoiceError, match="30m"):
            parse_duration_s(text)
    for text in ("", "50", "0%", "101%"):
        with pytest.raises(ChoiceError, match="50%"):
            parse_share(text)


# ---- tokens


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=5, max_size=80))
def test_the_rate_is_kept_whatever_was_expected(rows: list[tuple[int, int]]) -> None:
    """Over all rows: the rate, what may be saved up, and one row that overdraws."""
    budget, now_s, used = TokenBudget(6_000.0), 0.0, 0
    for expected, tokens in rows:
        now_s += budget.wait_s(now_s)
        assert budget.wait_s(now_s) == 0.0
        taken = budget.begun(0, float(expected), now_s)
        budget.ended(taken, tokens)
        used += tokens
    assert used <= 100.0 * (now_s + BURST_S) + 400


def test_what_nobody_knows_costs_what_was_expected() -> None:
    """A row that failed may have cost as much."""
    budget = TokenBudget(600.0)
    taken = budget.begun(400, 50.0, 0.0)
    assert taken == 150.0
    budget.ended(taken, None)
    assert budget.wait_s(0.0) == pytest.approx((1.0 + 100.0) / 10.0)


# ---- rows that are late


def running(began_s: float, expected: float = 100.0) -> Running:
    """A row that runs."""
    return Running(Item(0, Row(0, bytes(16), "line 1", 10, None, None), "m", 10), began_s, expected)


def learnt(rows: int = DONE_MIN) -> Hedging:
    """After so many rows that took 2 s for 100 tokens."""
    hedging = Hedging()
    for _ in range(rows):
        hedging.done(running(0.0), 2.0)
    return hedging


def test_only_what_is_late_is_asked_twice_and_once_more_only() -> None:
    """Late for its length, and by some seconds; the oldest first."""
    hedging = learnt()
    assert hedging.choose([running(0.0)], 4.9, 1_000) is None
    assert hedging.choose([running(0.0, 1_000.0)], 50.0, 1_000) is None
    rows = [running(5.0), running(1.0), running(20.0)]
    assert hedging.choose(rows, 21.0, 1_000) is rows[1]
    assert hedging.choose(rows, 21.0, 1_000) is rows[0]
    assert hedging.choose(rows, 21.0, 1_000) is None
    assert hedging.hedged == 2


def test_few_are_asked_twice() -> None:
    """One in fifty; before enough are done, none."""
    assert learnt(DONE_MIN - 1).choose([running(0.0)], 1_000.0, 1_000) is None
    hedging = learnt()
    chosen = [hedging.choose([running(0.0)], 1_000.0, 149) for _ in range(9)]
    assert sum(each is not None for each in chosen) == 2
