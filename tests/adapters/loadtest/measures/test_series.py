"""A run in moments."""

import pytest
from tests.adapters.loadtest.measures.made import answered, failed, plan_of, result_of

from triollama_adapters.loadtest.measures.series import MOMENTS_MAX, Series, width_for


@pytest.mark.parametrize(
    ("total_s", "width_s"),
    [(1, 0.1), (40, 0.1), (41, 0.25), (90, 0.25), (600, 2), (3600, 10), (86_400, 300)],
)
def test_a_moment_grows_with_the_run(total_s: float, width_s: float) -> None:
    """Round, and never so many that a chart cannot show them."""
    assert width_for(total_s) == width_s
    assert total_s / width_s <= 400


def test_a_run_of_a_year_has_few_moments_too() -> None:
    """Beyond all round widths they are as wide as need be."""
    assert width_for(365 * 86_400) == 365 * 86_400 / 400


def test_moments_by_hand() -> None:
    """Moments of 0.1 s; one answer from 0.05 to 0.35 s and one failure.

    The answer is due at 50 ms, sent at 60, has chunks at 130, 180, 210 and 330 ms with 3, 2, 2 and
    2 tokens, and is done at 350. The failure is due at 120, sent at 125, over at 240.
    """
    samples = [
        answered(50, 60, 130, [50, 30, 120], done=350, tokens=9, first_tokens=3),
        failed("http_5xx", 120, 240, sent=125),
    ]
    result = result_of(plan_of(duration_s=1), samples)
    assert result.moment_s == 0.1
    moments = result.moments
    assert [each.at_s for each in moments] == [0.0, 0.1, 0.2, 0.3]
    assert [each.offered for each in moments] == [1, 1, 0, 0]
    assert [each.sent for each in moments] == [1, 1, 0, 0]
    assert [each.completed for each in moments] == [0, 0, 0, 1]
    assert [each.errors for each in moments] == [0, 0, 1, 0]
    assert [each.in_flight for each in moments] == [1, 2, 1, 0]
    assert [each.output_tokens for each in moments] == [0, 5, 2, 2]
    assert moments[0].start_delay_max_s == 0.010
    assert moments[0].ttft_p50_s == moments[0].ttft_p95_s == pytest.approx(0.080, rel=1 / 64)
    assert moments[0].e2e_p50_s == pytest.approx(0.300, rel=1 / 64)
    assert moments[1].ttft_p50_s is None
    icl = [each.icl_p50_s for each in moments]
    assert icl == [None, *(pytest.approx(gap, rel=1 / 64) for gap in (0.050, 0.030, 0.120))]


def test_the_warm_up_and_the_drain_are_shown() -> None:
    """A chart shades them; the window's figures leave them out."""
    samples = [
        answered(100, 101, 200, is_measured=False),
        answered(2900, 2901, 4500),
    ]
    result = result_of(plan_of(duration_s=2, warm_up_s=1), samples)
    assert sum(each.offered for each in result.moments) == 2
    assert result.moments[-1].at_s == 4.5
    assert result.metrics["ttft"].count == 1


def test_what_ends_after_all_moments_counts_in_the_last() -> None:
    """A drain may take longer than planned."""
    series = Series(1)
    series.add(answered(10, 11, 70_000, [5000, 5000], tokens=3))
    assert series.used == MOMENTS_MAX
    assert series.completed[-1] == 1
    assert series.tokens_milli[-1] == 3000
    assert series.offered[0] == 1


def test_tokens_of_a_moment_are_whole_however_they_are_cut() -> None:
    """Seven tokens in four chunks: the thirds that do not come out even are with the first."""
    series = Series(1)
    series.add(answered(0, 1, 50, [100, 100, 100], tokens=8))
    assert series.tokens_milli[:4] == [1001, 2333, 2333, 2333]
    assert sum(series.tokens_milli) == 8000


def test_the_heat_map_has_each_first_token_once() -> None:
    """In the row of its TTFT and in the column in which it was due."""
    samples = [answered(due, due, due + ttft) for due, ttft in ((1, 10), (1, 10), (150, 1000))]
    result = result_of(plan_of(duration_s=1), samples)
    heat = result.heat
    assert [sum(column.values()) for column in heat.columns][:2] == [2, 1]
    assert len(heat.columns) == len(result.moments)
    (slow,) = heat.columns[1]
    assert heat.edges_s[slow] <= 1.0 * (1 + 1 / 64)
    assert slow == len(heat.edges_s) - 1
    (fast,) = heat.columns[0]
    assert fast in {0, 1}
    assert heat.edges_s[0] <= 0.010


def test_the_heat_map_has_as_many_rows_as_a_screen_can_show() -> None:
    """From a microsecond to an hour there are fewer to each doubling."""
    samples = [answered(0, 0.001, first) for first in (0.001, 3_600_000)]
    heat = result_of(plan_of(), samples).heat
    assert 24 <= len(heat.edges_s) <= 48
    assert sorted(heat.edges_s) == list(heat.edges_s)


def test_nothing_at_all_has_no_moments() -> None:
    """Nor heat."""
    result = result_of(plan_of(), [])
    assert result.moments == ()
    assert result.heat.edges_s == ()
