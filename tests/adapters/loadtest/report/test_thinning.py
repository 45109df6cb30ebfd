"""Fewer points, and nothing hidden."""

from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.report.thinning import (
    cumulate,
    short,
    thin,
    thin_heat,
    thin_moments,
)
from triollama_adapters.loadtest.result import Heat, Moment


@given(st.integers(0, 500), st.integers(1, 40))
def test_counts_are_kept_and_no_tail_is_hidden(count: int, most: int) -> None:
    """What is added is all there; the worst moment stays the worst."""
    moments = [
        Moment(n * 0.5, offered=n % 7, completed=n % 5, ttft_p95_s=float(n % 11) or None)
        for n in range(count)
    ]
    thinned, moment_s = thin_moments(moments, 0.5, most)
    assert len(thinned) <= most
    assert sum(each.offered for each in thinned) == sum(each.offered for each in moments)
    assert sum(each.completed for each in thinned) == sum(each.completed for each in moments)
    worst = max((each.ttft_p95_s or 0 for each in moments), default=0)
    assert max((each.ttft_p95_s or 0 for each in thinned), default=0) == worst
    assert moment_s * len(thinned) >= 0.5 * count


def test_medians_are_weighted_by_requests() -> None:
    """A moment with nothing in it has no median, and does not count."""
    moments = [
        Moment(0.0, offered=3, ttft_p50_s=1.0, in_flight=4),
        Moment(1.0, offered=1, ttft_p50_s=5.0, in_flight=9),
        Moment(2.0),
    ]
    (one,), moment_s = thin_moments(moments, 1.0, 1)
    assert one.ttft_p50_s == 2.0
    assert one.in_flight == 0
    assert one.icl_p50_s is None
    assert moment_s == 3.0


def test_columns_of_a_heat_map_are_added() -> None:
    """All requests are still there."""
    heat = Heat((0.1, 0.2), ({0: 1}, {0: 2, 1: 1}, {1: 4}))
    assert thin_heat(heat, 2) == ([{0: 3, 1: 1}, {1: 4}], 2)


@given(
    st.dictionaries(st.integers(1, 10**11), st.integers(1, 10**6), min_size=1, max_size=400),
    st.integers(10, 300),
)
def test_a_distribution_rises_to_one(buckets: dict[int, int], most: int) -> None:
    """It ends at the greatest value, and has few points however many buckets there are."""
    ordered = sorted(buckets.items())
    points = list(cumulate(ordered, most))
    seconds, shares = zip(*points, strict=True)
    assert list(seconds) == sorted(seconds)
    assert list(shares) == sorted(shares)
    assert points[-1] == (ordered[-1][0] / 1e9, 1.0)
    assert len(points) <= most + 120


def test_the_tail_of_a_distribution_has_points_of_its_own() -> None:
    """p99.9 of a million values is not lost between p99 and the end."""
    buckets = [(n, 1) for n in range(100_000)]
    shares = [share for _, share in cumulate(buckets, 50)]
    assert sum(share > 0.99 for share in shares) >= 20


def test_small_things() -> None:
    """Numbers to be drawn, and every n-th value."""
    assert short(1.23456789) == 1.235
    assert short(None) is None
    assert short(float("inf")) is None
    assert list(thin(range(10), 4)) == [0, 3, 6, 9]
    assert list(thin([], 4)) == []
