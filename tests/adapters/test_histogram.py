"""Percentiles in constant memory."""

import math
import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from triollama_adapters.histogram import Histogram, needed_for, ranks_for


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0.001, 1))
def test_percentiles_are_within_their_bound(values: list[int], share: float) -> None:
    """Against the sorted list: never above the true value, and at most 1/128 below it."""
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    true = sorted(values)[max(1, math.ceil(round(share * len(values), 6))) - 1]
    told = histogram.percentile(share)
    assert told is not None
    assert true * (1 - 1 / 128) <= told <= true
    assert len(histogram) == len(values)


def test_a_percentile_is_not_a_rank_too_far() -> None:
    """0.55 times 100 is a little more than 55 for a computer; the 55th value it is."""
    histogram = Histogram()
    histogram.record_many(range(1, 101))
    assert histogram.percentile(0.55) == 55


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


@given(st.lists(st.integers(-5, 2**24), max_size=300))
def test_many_values_count_as_one_by_one(values: list[int]) -> None:
    """The same buckets, sum, least and greatest; up to 2^24 a 32-bit float is exact."""
    first, second = Histogram(), Histogram()
    for value in values:
        first.record(value)
    second.record_many(values)
    assert first == second
    assert first.buckets == second.buckets
    assert second.total == sum(max(0, value) for value in values)


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=300), st.integers(0, 5))
def test_large_values_are_in_their_bucket_or_at_its_edge(values: list[int], fewer: int) -> None:
    """Each rank is within 1/256 of the sorted list's, and 6e-8 more, with as many buckets."""
    histogram = Histogram()
    histogram.record_many(values)
    told = histogram.at_ranks(range(1, len(values) + 1))
    for true, found in zip(sorted(values), told, strict=True):
        assert abs(true - found) <= true * (1 / 256 + 1e-7) + 1
    coarse = Histogram(7 - fewer)
    coarse.record_many(values)
    for true, found in zip(sorted(values), coarse.at_ranks(range(1, len(values) + 1)), strict=True):
        assert abs(true - found) <= true * 2**fewer * (1 / 256 + 1e-7) + 1


@given(st.lists(st.lists(st.integers(0, 10**12), max_size=50), max_size=5))
def test_merged_in_any_order_it_is_what_one_would_have_counted(parts: list[list[int]]) -> None:
    """Exactly, with its sum, its least and its greatest value."""
    whole, forward, backward = Histogram(), Histogram(), Histogram()
    whole.record_many([value for part in parts for value in part])
    made = []
    for part in parts:
        made.append(Histogram())
        made[-1].record_many(part)
    for each in made:
        forward.merge(each)
    for each in reversed(made):
        backward.merge(each)
    assert whole == forward == backward
    assert len(whole) == len(forward)
    assert whole.mean == (whole.total / len(whole) if len(whole) else None)


def test_one_is_restored_from_what_it_tells() -> None:
    """Equal, and it goes on."""
    first = Histogram()
    first.record_many([3, 500, 70_000])
    again = Histogram.restore(
        first.buckets, total=first.total, least=first.least, most=first.most, bits=first.bits
    )
    assert again == first
    again.record(1)
    assert (again.least, len(again)) == (1, 4)
    assert again != first
    assert again != first.buckets
    assert repr(again) == "<Histogram of 4 values within [1, 70000]>"


def test_a_histogram_of_one_value_tells_it_exactly() -> None:
    """The middle of a bucket is within the least and the greatest value."""
    histogram = Histogram()
    histogram.record(123_456_789, 1_000)
    assert histogram.at_ranks([1, 500, 1_000]) == [123_456_789] * 3
    assert histogram.middles == ((123_456_789, 1_000),)


def test_ranks_of_percentiles_by_hand() -> None:
    """The nearest rank, without an error of floats; the ends by the binomial distribution."""
    assert ranks_for(100, 0.55)[0] == 55
    assert ranks_for(1, 0.5) == (1, None, None)
    assert ranks_for(5, 0.5) == (3, None, None)
    assert ranks_for(6, 0.5) == (3, 1, 6)
    assert ranks_for(20, 0.5) == (10, 6, 15)  # in every table of the sign test
    assert ranks_for(367, 0.99)[2] is None
    assert ranks_for(368, 0.99)[2] == 368


@given(st.integers(1, 150), st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99]))
def test_ranks_are_those_of_exact_sums(count: int, share: float) -> None:
    """The greatest and the least ranks that miss the percentile in 2.5 % of cases at most."""
    chances = [
        math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)
    ]
    below = [sum(chances[:rank]) for rank in range(count + 1)]
    low = max((rank for rank in range(1, count + 1) if below[rank] <= 0.025), default=None)
    high = min((rank for rank in range(1, count + 1) if below[rank] >= 0.975), default=None)
    assert ranks_for(count, share)[1:] == (low, high)


def test_ranks_of_many_go_over_into_the_normal_distribution() -> None:
    """Where one stands for the other, they differ by a rank or two of two hundred."""
    (_, low, high), (_, low_after, high_after) = ranks_for(39_998, 0.5), ranks_for(40_004, 0.5)
    assert low is not None
    assert high is not None
    assert low_after is not None
    assert high_after is not None
    assert abs((low_after - low) - 3) <= 2
    assert abs((high_after - high) - 3) <= 2


@pytest.mark.slow
def test_intervals_hold_the_true_percentile_in_19_of_20_cases() -> None:
    """Of 400 draws of 400 exponential values, at least 93 % hold the true p95, by simulation."""
    chance = random.Random(7)
    true = -math.log(0.05) * 1e6
    held = 0
    for _ in range(400):
        histogram = Histogram()
        histogram.record_many([int(chance.expovariate(1e-6)) for _ in range(400)])
        _, low, high = ranks_for(400, 0.95)
        assert low is not None
        assert high is not None
        ends = histogram.at_ranks([low, high])
        held += ends[0] <= true <= ends[1]
    assert held >= 0.93 * 400
