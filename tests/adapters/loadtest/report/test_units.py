"""Figures as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.report.units import (
    NOTHING,
    show_bytes,
    show_count,
    show_duration,
    show_interval,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.result import Interval


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.78, "780 ms"),
        (1.2345, "1.23 s"),
        (0.9996, "1 s"),
        (0.99949, "999 ms"),
        (0.000045, "45 µs"),
        (123.4, "123 s"),
        (0.0, "0 ms"),
        (-0.0021, "-2.1 ms"),
        (None, NOTHING),
        (math.nan, NOTHING),
    ],
)
def test_latency_has_three_digits_and_a_unit(seconds: float | None, text: str) -> None:
    """Latencies."""
    assert show_s(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(14.0, "14"), (14.23, "14.2"), (1234.5, "1,234"), (0.00123, "0.00123"), (999.9, "1,000")],
)
def test_number_has_three_digits(value: float, text: str) -> None:
    """Numbers."""
    assert show_number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.99999, "> 99.99 %"),
        (0.00001, "< 0.01 %"),
        (0.995, "99.5 %"),
        (0.5, "50 %"),
        (0.013, "1.3 %"),
    ],
)
def test_share_is_all_or_none_only_when_it_is(share: float, text: str) -> None:
    """100 % and 0 % are said of all and of none."""
    assert show_share(share) == text


@given(st.floats(min_value=1e-6, max_value=1 - 1e-6))
def test_a_share_between_is_never_told_as_all_or_none(share: float) -> None:
    """Also where rounding would make it so."""
    assert show_share(share) not in {"100 %", "0 %"}


@given(st.floats(min_value=1e-6, max_value=1e5))
def test_latency_is_within_half_a_percent(seconds: float) -> None:
    """What is told is what was measured, to three digits."""
    number, unit = show_s(seconds).replace(",", "").split(" ")
    told = float(number) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit]
    assert told == pytest.approx(seconds, rel=0.0051)


def test_other_units() -> None:
    """Durations, sizes, counts, intervals."""
    assert [show_duration(each) for each in (60, 300, 5400, 3601)] == [
        "60 s",
        "5 min",
        "1 h 30 min",
        "1 h 1 s",
    ]
    assert show_bytes(4.5 * 2**30) == "4.5 GiB"
    assert show_bytes(12) == "12 B"
    assert show_count(1, "request") == "1 request"
    assert show_count(1200, "request") == "1,200 requests"
    assert show_interval(Interval(1.0, 0.5, 2.0)) == "500 ms to 2 s"
    assert show_interval(Interval(0.1, 0.05, 0.2), is_share=True) == "5 % to 20 %"
    assert not show_interval(Interval(1.0))
    assert not show_interval(None)
