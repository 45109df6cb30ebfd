"""Rates, durations, phases and counts as a user writes them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.arrivals import words
from triollama_adapters.loadtest.arrivals.words import (
    parse_counts,
    parse_duration,
    parse_phases,
    parse_rate,
    parse_rates,
)
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Phase


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60.0),
        ("5m", 300.0),
        ("1h30m", 5_400.0),
        (" 1h 30m 0.5s ", 5_400.5),
        ("500ms", 0.5),
        (".5s", 0.5),
        ("2d", 172_800.0),
        ("0", 0.0),
        ("0s", 0.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """One number with a unit, or several that add up; 0 needs no unit."""
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "60", "s", "-5s", "5 minutes", "1e3s", "nan", "infs", "5s!", "9" * 400 + "s"]
)
def test_a_text_that_is_no_duration(text: str) -> None:
    """The error has the text, the field and the grammar."""
    with pytest.raises(PlanError) as caught:
        parse_duration(text, field="--warm-up")
    assert repr(text) in str(caught.value)
    assert words.DURATION in str(caught.value)
    assert caught.value.field == "--warm-up"


@pytest.mark.parametrize(
    ("text", "per_s"),
    [("20", 20.0), ("20/s", 20.0), ("90/m", 1.5), ("1800 / h", 0.5), ("0.25/s", 0.25)],
)
def test_rates(text: str, per_s: float) -> None:
    """Per second unless it says otherwise."""
    assert parse_rate(text) == per_s


@pytest.mark.parametrize(
    "text", ["", "0", "0/s", "-1/s", "20/d", "20 per s", "1..50", "nan/s", "inf", "9" * 400]
)
def test_a_text_that_is_no_rate(text: str) -> None:
    """The error has the text and the grammar."""
    with pytest.raises(PlanError) as caught:
        parse_rate(text)
    assert repr(text) in str(caught.value)
    assert words.RATE in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("1..50", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 50.0)),
        ("1..8/s", (1.0, 2.0, 4.0, 8.0)),
        ("60..240/m", (1.0, 2.0, 4.0)),
        ("10..50 by 10/s", (10.0, 20.0, 30.0, 40.0, 50.0)),
        ("10..45 by 10", (10.0, 20.0, 30.0, 40.0, 45.0)),
        ("1, 2, 5/s", (1.0, 2.0, 5.0)),
        ("7", (7.0,)),
    ],
)
def test_rates_of_a_sweep(text: str, rates: tuple[float, ...]) -> None:
    """A range has both of its ends."""
    assert parse_rates(text) == pytest.approx(rates, rel=1e-12)


BAD_LISTS = [
    "",
    ",",
    "1,,2",
    "5..1",
    "5..5",
    "0..4",
    "2,1",
    "1,1",
    "-1,2",
    "1..2..3",
    "1..10 by 0",
    "1..9999 by 1",
    "one",
    "1;2",
]


@pytest.mark.parametrize("text", BAD_LISTS)
def test_a_text_that_is_no_list(text: str) -> None:
    """Neither of rates nor of counts; the errors have the grammar."""
    with pytest.raises(PlanError) as of_rates:
        parse_rates(text)
    with pytest.raises(PlanError) as of_counts:
        parse_counts(text)
    assert words.RATES in str(of_rates.value)
    assert words.COUNTS in str(of_counts.value)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("1,2,4", (1, 2, 4)),
        ("1..64", (1, 2, 4, 8, 16, 32, 64)),
        ("10..100 by 30", (10, 40, 70, 100)),
        ("100", (100,)),
    ],
)
def test_counts(text: str, counts: tuple[int, ...]) -> None:
    """Whole numbers, as a list or a range."""
    assert parse_counts(text) == counts


@pytest.mark.parametrize("text", ["1.5", "1..3 by 0.5", "1,2.5"])
def test_users_are_whole(text: str) -> None:
    """Half a user is refused."""
    with pytest.raises(PlanError, match="whole numbers from 1 on"):
        parse_counts(text)


def test_a_rate_over_time() -> None:
    """Plain stretches, a ramp, a spike, and steps, one after the other."""
    phases = parse_phases("10/s for 30s, 10..50/s for 1m, 200/s for 5s, 0..120/m for 1m in 3 steps")
    assert phases == (
        Phase(30.0, 10.0, 10.0),
        Phase(60.0, 10.0, 50.0),
        Phase(5.0, 200.0, 200.0),
        Phase(20.0, 0.0, 0.0),
        Phase(20.0, 1.0, 1.0),
        Phase(20.0, 2.0, 2.0),
    )


def test_a_single_rate_needs_no_time_of_its_own() -> None:
    """It takes the run's; its own goes first."""
    assert parse_phases("5/s", duration_s=60.0) == (Phase(60.0, 5.0, 5.0),)
    assert parse_phases("5..10", duration_s=60.0) == (Phase(60.0, 5.0, 10.0),)
    assert parse_phases("5/s for 7s", duration_s=60.0) == (Phase(7.0, 5.0, 5.0),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10/s",
        "10/s for 30s, 20/s",
        "10/s for",
        "10/s for 0s",
        "for 30s",
        "0/s for 30s",
        "-1/s for 30s",
        "10..20..30/s for 5s",
        "10/s for 30s in 1 steps",
        "1..2/s for 30s in 0 steps",
        "1..2/s for 30s in 5000 steps",
        "10/s; for 30s",
        "9" * 400 + "/s for 1s",
    ],
)
def test_a_text_that_is_no_rate_over_time(text: str) -> None:
    """The error has the grammar, also where two rates lack a time."""
    with pytest.raises(PlanError) as caught:
        parse_phases(text)
    assert words.PHASES in str(caught.value)


def test_a_time_within_phases_that_is_none() -> None:
    """The error is about the time, and says so."""
    with pytest.raises(PlanError, match="'30' is no duration"):
        parse_phases("10/s for 30")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but a `PlanError` comes out of a grammar."""
    for parse in (parse_duration, parse_rate, parse_rates, parse_counts, parse_phases):
        try:
            parse(text)
        except PlanError as error:
            assert "\n" not in str(error)  # noqa: PT017


@given(st.text("0123456789./,..smhdforinstepsby ", max_size=30))
def test_nearly_right_texts_are_read_or_refused(text: str) -> None:
    """What is read is of use: finite, and above 0."""
    with suppress(PlanError):
        assert all(0.0 < rate < 1e300 for rate in parse_rates(text))
    with suppress(PlanError):
        assert sum(phase.duration_s for phase in parse_phases(text, duration_s=1.0)) > 0.0
