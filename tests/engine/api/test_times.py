"""Timestamps as servers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.api import parse_time

WEST = timezone(timedelta(hours=-7))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-08-21T10:00:00Z", datetime(2026, 8, 21, 10, tzinfo=UTC)),
        ("2026-08-21T10:00:00.1Z", datetime(2026, 8, 21, 10, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-08-21T10:00:00.123456Z", datetime(2026, 8, 21, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-08-21T10:00:00.123456789Z", datetime(2026, 8, 21, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-08-21T10:00:00-07:00", datetime(2026, 8, 21, 10, tzinfo=WEST)),
        (
            "2318-01-01T00:00:00.999999999-07:00",
            datetime(2318, 1, 1, 0, 0, 0, 999_999, tzinfo=WEST),
        ),
    ],
)
def test_both_suffixes_and_any_fraction_are_read(text: str, time: datetime) -> None:
    """None to nine digits of a second, Z or an offset; what a datetime cannot hold is cut off."""
    parsed = parse_time(text)
    assert parsed == time
    assert parsed.utcoffset() == time.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "never",
        "2026-08-21",
        "2026-08-21T10:00:00",
        "2026-02-30T10:00:00Z",
        "2026-08-21T25:00:00Z",
        "2026-08-21T10:00:00.Z",
        "2026-08-21T10:00:00.1234567890Z",
        "2026-08-21T10:00:00+99:00",
        "0000-01-01T00:00:00Z",
        "2026-08-21T10:00:00Z\n",
        "٢026-08-21T10:00:00Z",
    ],
)
def test_what_is_no_time_gives_none(text: str) -> None:
    """Nothing depends on these times, so a strange one fails nothing."""
    assert parse_time(text) is None


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"))
def test_any_text_is_an_aware_time_or_none(text: str) -> None:
    """Reading never raises."""
    time = parse_time(text)
    assert time is None or time.utcoffset() is not None


@given(st.datetimes(timezones=st.just(UTC)))
def test_python_s_own_form_is_read(time: datetime) -> None:
    """What isoformat writes comes back."""
    assert parse_time(time.isoformat()) == time
