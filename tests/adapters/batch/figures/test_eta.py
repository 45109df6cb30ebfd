"""How long the rest takes, and what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.figures.eta import SAMPLES_MIN, TimeLeft, time_left

RATES = st.lists(st.floats(0.01, 1e4), min_size=SAMPLES_MIN, max_size=16)


def test_equal_rates_give_a_narrow_range() -> None:
    """Within the least doubt there is."""
    left = time_left(100, [10.0] * 8)
    assert left == TimeLeft(low_s=100 / 10.5, likely_s=10.0, high_s=100 / 9.5)


def test_rates_that_differ_give_a_wide_range() -> None:
    """And an estimated number of rows a wider one."""
    left = time_left(100, [5.0, 15.0] * 4)
    assert left is not None
    assert left.likely_s == 10.0
    assert left.low_s < 8
    assert left.high_s > 14
    guessed = time_left(100, [5.0, 15.0] * 4, is_total_known=False)
    assert guessed is not None
    assert guessed.low_s < left.low_s < left.high_s < guessed.high_s


@pytest.mark.parametrize("rates", [[], [5.0] * 3, [0.0] * 8, [0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0]])
def test_nothing_is_said_when_nothing_is_known(rates: list[float]) -> None:
    """Of too few rates, or while most of the time nothing came."""
    assert time_left(100, rates) is None


def test_no_rows_take_no_time() -> None:
    """If it is known that there are none."""
    assert time_left(0, []) == TimeLeft(0.0, 0.0, 0.0)
    assert time_left(0, [], is_total_known=False) is None


@given(st.floats(1, 1e7), RATES, st.booleans())
def test_the_range_holds_its_middle(rows: float, rates: list[float], is_known: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever the rates, and it always ends."""
    left = time_left(rows, rates, is_total_known=is_known)
    assert left is not None
    assert 0 < left.low_s < left.likely_s < left.high_s < 6 * left.likely_s
