"""Medians, bars and verdicts."""

import math

import pytest
from benchmarks.figures import Bar, Spread, Verdict, digits, percentile, verdict


def test_spread_is_the_median_between_the_extremes() -> None:
    """One outlier moves the spread and leaves the median where it was."""
    assert Spread.of([2.0, 9.0, 1.0]) == Spread(median=2.0, low=1.0, high=9.0)


def test_spread_of_nothing_is_refused() -> None:
    """No run at all is an error, not a zero."""
    with pytest.raises(ValueError, match="at least one"):
        Spread.of([])


def test_spread_leaves_out_what_could_not_be_measured() -> None:
    """A repetition without a figure moves nothing, and nothing but such ones is NaN."""
    assert Spread.of([math.nan, 2.0, 1.0, 3.0]) == Spread(median=2.0, low=1.0, high=3.0)
    assert math.isnan(Spread.of([math.nan]).median)


def test_figures_are_shown_with_three_digits() -> None:
    """Small, middling and large figures each keep the digits that matter."""
    assert Spread(1.234, 12.34, 1234.5).show("x") == "1.23 x (12.3 to 1,234)"
    assert [digits(each) for each in (0.0063, 0.0, None)] == ["0.0063", "0", "?"]


@pytest.mark.parametrize(("share", "value"), [(0.01, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_the_least_value_that_reaches_its_share(share: float, value: int) -> None:
    """Nearest rank: of 1 to 100 in any order, the 99th percentile is 99."""
    assert percentile(range(100, 0, -1), share) == value


@pytest.mark.parametrize(
    ("bar", "value", "expected"),
    [
        (Bar(2.2), 2.2, True),
        (Bar(2.2), 2.21, False),
        (Bar(15, is_at_least=True), 15.0, True),
        (Bar(15, is_at_least=True), 14.9, False),
        (Bar(2.2), math.nan, False),
        (Bar(15, is_at_least=True), math.nan, False),
    ],
)
def test_bar_is_met_at_its_limit_and_never_by_nan(
    bar: Bar, value: float, *, expected: bool
) -> None:
    """A bar is reached exactly at its limit, on its own side, and not by a broken figure."""
    assert bar.is_met(value) is expected


def test_verdict_names_the_worst_reason_first() -> None:
    """An unfinished client outranks a wrong load, and a wrong load outranks the figure."""
    bar, good, bad = Bar(2.0), Spread(1.0, 1.0, 1.0), Spread(3.0, 3.0, 3.0)
    assert verdict(None, bar, is_valid=False) is Verdict.ERROR
    assert verdict(good, bar, is_valid=False) is Verdict.INVALID
    assert verdict(bad, bar, is_valid=True) is Verdict.MISS
    assert verdict(good, bar, is_valid=True) is Verdict.PASS
    assert verdict(bad, None, is_valid=True) is Verdict.SHOWN
