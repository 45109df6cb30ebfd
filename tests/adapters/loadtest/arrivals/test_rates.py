"""A rate that changes over time, integrated and inverted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.arrivals.rates import at_rate, expected, fit_phases, total_s
from triollama_adapters.loadtest.plan import Phase

RATES = st.floats(0.0, 1e4)
PHASES = st.lists(st.builds(Phase, st.floats(0.01, 1e4), RATES, RATES), min_size=1, max_size=6)


def _integral(phases: tuple[Phase, ...] | list[Phase], until_s: float) -> float:
    return expected(fit_phases(phases, until_s))


def test_a_ramp_by_hand() -> None:
    """From 0 to 10/s in 10 s: 50 sessions; the n-th is at the square root of 2n."""
    ramp = (Phase(10.0, 0.0, 10.0),)
    assert expected(ramp) == 50.0
    assert list(at_rate([0.0, 2.0, 8.0, 18.0, 32.0], ramp)) == [
        0,
        2_000_000_000,
        4_000_000_000,
        6_000_000_000,
        8_000_000_000,
    ]


def test_a_falling_ramp_by_hand() -> None:
    """From 10/s to 0 in 10 s: the last one of 50 is never quite there; half are by 2.93 s."""
    ramp = (Phase(10.0, 10.0, 0.0),)
    half, end = at_rate([25.0, 50.0], ramp)
    assert half == pytest.approx(10e9 * (1.0 - 0.5**0.5), abs=2)
    assert end == 10_000_000_000


def test_a_pause_by_hand() -> None:
    """Nothing falls into a phase without a rate."""
    phases = (Phase(1.0, 2.0, 2.0), Phase(5.0, 0.0, 0.0), Phase(1.0, 2.0, 2.0))
    assert list(at_rate([0.0, 1.0, 2.0, 3.0], phases)) == [0, 500_000_000, 6 * 10**9, 6_500_000_000]


def test_a_point_beyond_by_rounding_is_at_the_end() -> None:
    """None is lost."""
    assert list(at_rate([4.0 + 1e-15], (Phase(2.0, 2.0, 2.0),))) == [2 * 10**9]


def test_no_phases_hold_nothing() -> None:
    """An empty warm-up."""
    assert expected(()) == 0.0
    assert list(at_rate([], ())) == []


@given(PHASES, st.lists(st.floats(0.0, 0.999_999), max_size=30))
def test_the_inverse_is_the_inverse(phases: list[Phase], shares: list[float]) -> None:
    """The integral up to a point's time is the point; times are sorted and within the phases."""
    total = expected(phases)
    points = sorted(share * total for share in shares)
    times = list(at_rate(points, phases))
    assert times == sorted(times)
    assert len(times) == len(points)
    for point, at_ns in zip(points, times, strict=True):
        assert 0 <= at_ns <= total_s(phases) * 1e9 + 1
        low, high = (_integral(phases, max(0.0, at_ns / 1e9 + d)) for d in (-2e-9, 2e-9))
        slack = 1e-9 * (1.0 + total)
        assert low - slack <= point <= high + slack


@given(PHASES, st.floats(0.001, 1e5))
def test_phases_are_fitted_exactly(phases: list[Phase], length_s: float) -> None:
    """Cut off or held, they last as long as asked, and are otherwise as they were."""
    fitted = fit_phases(phases, length_s)
    assert total_s(fitted) == pytest.approx(length_s, rel=1e-9)
    assert fitted[0].from_per_s == phases[0].from_per_s
    if length_s > total_s(phases):
        assert fitted[-1].to_per_s == phases[-1].to_per_s
    assert expected(fitted) <= expected(phases) + max(0.0, length_s - total_s(phases)) * phases[
        -1
    ].to_per_s + 1e-6 * (1.0 + expected(phases))
