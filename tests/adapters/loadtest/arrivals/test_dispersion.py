"""What a schedule turned out to be, on schedules worked out by hand."""

from __future__ import annotations

import pytest

from triollama_adapters.loadtest.arrivals.dispersion import look_at
from triollama_adapters.loadtest.plan import Phase

S = 10**9


def test_by_hand() -> None:
    """Counts 1, 3, 2: mean 2, variance 1, index 0.5; gaps of half a second and one."""
    found = look_at([0, S, S + S // 2, S + S // 2, 2 * S, 3 * S - 1], 3.0)
    assert found.count == 6
    assert found.rate_per_s == 2.0
    assert found.dispersion == pytest.approx(0.5)
    gaps = [1.0, 0.5, 0.0, 0.5, 1.0]
    mean = sum(gaps) / 5
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / 4) ** 0.5
    assert found.variation == pytest.approx(deviation / mean, rel=1e-6)


def test_counts_are_held_against_a_rate_that_changes() -> None:
    """A ramp that is followed exactly has no dispersion, though its counts differ."""
    times = [0, S, S + S // 3, S + 2 * S // 3]
    found = look_at(times, 2.0, phases=(Phase(1.0, 1.0, 1.0), Phase(1.0, 3.0, 3.0)))
    assert found.dispersion == 0.0
    assert look_at(times, 2.0).dispersion == pytest.approx(1.0)


def test_what_cannot_be_said_is_none() -> None:
    """One window, no arrivals, or all at once."""
    assert look_at([0, 1], 1.0).dispersion is None
    assert look_at([], 3.0).dispersion is None
    assert look_at([0], 3.0).variation is None
    assert look_at([5, 5, 5], 3.0).variation is None


def test_what_is_behind_the_end_is_left_out() -> None:
    """And what remains of the length behind the last window counts for the rate alone."""
    found = look_at([0, S, 2 * S + 1, 3 * S], 2.5)
    assert found.count == 3
    assert found.rate_per_s == pytest.approx(1.2)
    assert found.dispersion == 0.0


def test_a_length_without_a_window() -> None:
    """It says so, rather than divide by nothing."""
    with pytest.raises(ValueError, match="shorter than one window"):
        look_at([0], 0.5)
