"""Percentiles in constant memory."""

import math

import hypothesis.strategies as st
from hypothesis import given

from triollama_adapters.histogram import Histogram, needed_for


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0.001, 1))
def test_percentiles_are_within_their_bound(values: list[int], share: float) -> None:
    """Against the sorted list: never above the true value, and at most 1/128 below it."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    true = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    told = histogram.percentile(share)
    assert told is not None
    assert true * (1 - 1 / 128) <= told <= true
    assert len(histogram) == len(values)


def test_nothing_counted_has_no_percentile() -> None:
    """An empty histogram says None instead of a number."""
    assert Histogram().percentile(0.5) is None


def test_memory_does_not_grow_with_the_count() -> None:
    """All durations from a nanosecond to an hour fit into a few thousand buckets."""
    histogram = Histogram()
    value = 1.0
    while value < 3.6e12:
        histogram.record(int(value))
        value *= 1.0005
    assert len(histogram) > 50_000
    assert len(histogram._buckets) <= 128 * 42


def test_a_negative_duration_counts_as_none_at_all() -> None:
    """Clocks of two machines may disagree; the count must not."""
    histogram = Histogram()
    histogram.record(-5)
    assert histogram.percentile(1) == 0


def test_one_that_is_stored_goes_on() -> None:
    """What its buckets tell makes an equal one, with as few buckets as are wanted."""
    first, again = Histogram(bits=5), Histogram(bits=5)
    for value in range(1, 5_000, 7):
        first.record(value)
    for edge, count in first.buckets:
        again.record(edge, count)
    assert (again.buckets, len(again)) == (first.buckets, len(first))
    assert len(first.buckets) <= 32 * 8
    told = first.percentile(0.5)
    assert told is not None
    assert 2_500 * (1 - 1 / 32) - 7 <= told <= 2_500


def test_a_percentile_needs_enough_values() -> None:
    """As the page on metrics has it: about 368 for p99."""
    assert [needed_for(share) for share in (0.5, 0.9, 0.99)] == [6, 36, 368]
