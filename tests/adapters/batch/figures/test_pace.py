"""Rates over the last while and overall."""

from __future__ import annotations

import pytest

from triollama_adapters.batch.figures.pace import READINGS_MAX, RECENT_ROWS, Pace, Rate


def run(pace: Pace, start_s: int, end_s: int, rows_per_s: float, rows: float = 0) -> float:
    """Read each quarter of a second; the rows at the end. A row has ten tokens."""
    for quarter in range(4 * start_s, 4 * end_s + 1):
        at_s = quarter / 4
        now = rows + (at_s - start_s) * rows_per_s
        pace.note(at_s, int(now), int(10 * now))
    return rows + (end_s - start_s) * rows_per_s


def test_the_recent_rate_is_that_of_now() -> None:
    """And the overall one that of all the time."""
    pace = Pace(0.0)
    rows = run(pace, 0, 100, 10)
    run(pace, 100, 150, 40, rows)
    assert pace.recent() == pytest.approx(Rate(40, 400), rel=0.01)
    assert pace.overall() == pytest.approx(Rate(20, 200))
    assert pace.recent_parts() == pytest.approx([40] * 8, rel=0.05)


def test_nothing_is_said_too_early() -> None:
    """A rate of half a second is none, and its parts need some seconds."""
    pace = Pace(0.0)
    pace.note(0.5, 100, 100)
    assert (pace.recent(), pace.overall(), pace.recent_parts()) == (None, None, [])
    pace.note(2.0, 100, 100)
    assert pace.recent() == Rate(50, 50)
    assert pace.recent_parts() == []


def test_a_slow_job_looks_back_further() -> None:
    """Of a row in ten seconds, half a minute would say nothing."""
    pace = Pace(0.0)
    for second in range(10_000):
        pace.note(second, second // 10, second)
    recent = pace.recent()
    assert recent is not None
    assert recent.rows == pytest.approx(0.1, rel=0.1)
    assert all(rate > 0 for rate in pace.recent_parts())
    last = pace._last
    assert last.rows - pace._from().rows >= RECENT_ROWS
    assert len(pace._readings) <= READINGS_MAX


def test_a_job_that_hangs_comes_to_a_standstill() -> None:
    """Its recent rate falls as time goes by."""
    pace = Pace(0.0)
    rows = run(pace, 0, 60, 100)
    run(pace, 60, 300, 0, rows)
    recent, overall = pace.recent(), pace.overall()
    assert recent is not None
    assert overall is not None
    assert recent.rows < overall.rows + 1
    assert pace.recent_parts()[-1] == 0
