"""Two runs compared."""

import random
import statistics

import msgspec
import pytest
from msgspec.structs import replace
from tests.adapters.loadtest.measures.made import answered, failed, plan_of, result_of

from triollama_adapters.histogram import Histogram
from triollama_adapters.loadtest.measures.bootstrap import (
    DRAWS,
    draw_mean,
    draw_means_of_blocks,
    draw_percentile,
    draw_share,
    spread,
)
from triollama_adapters.loadtest.measures.compare import Difference, compare
from triollama_adapters.loadtest.measures.distributions import distribution_of
from triollama_adapters.loadtest.measures.likeness import independent_of
from triollama_adapters.loadtest.result import METRICS, Distribution, Result


def drawn(seed: int, count: int) -> tuple[list[float], Distribution]:
    """Values in seconds, and their distribution."""
    chance, histogram = random.Random(seed), Histogram()
    values = [int(chance.lognormvariate(18, 0.6)) for _ in range(count)]
    histogram.record_many(values)
    return [value / 1e9 for value in values], distribution_of(histogram)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_percentile_is_drawn_as_by_resampling_the_values(share: float) -> None:
    """The same mean and the same spread as the plain bootstrap, by a tenth."""
    values, found = drawn(1, 300)
    chance = random.Random(2)
    rank = round(share * 300)
    plain = [sorted(chance.choices(values, k=300))[rank - 1] for _ in range(1_500)]
    draws = draw_percentile(found, share, chance)
    assert len(draws) == DRAWS
    assert statistics.mean(draws) == pytest.approx(statistics.mean(plain), rel=0.01)
    assert statistics.stdev(draws) == pytest.approx(statistics.stdev(plain), rel=0.1)


def test_a_mean_is_drawn_with_its_standard_error() -> None:
    """The deviation of the values by the root of their number."""
    values, found = drawn(3, 1_000)
    draws = draw_mean(found, random.Random(4))
    assert statistics.mean(draws) == pytest.approx(statistics.mean(values), rel=0.005)
    expected = statistics.pstdev(values) / 1_000**0.5
    assert statistics.stdev(draws) == pytest.approx(expected, rel=0.1)


def test_a_share_of_none_is_not_certain() -> None:
    """None of a hundred may be two of a hundred the next time."""
    ends = spread(0.0, draw_share(0, 100, random.Random(5)))
    assert ends.high is not None
    assert 0.02 < ends.high < 0.03


def test_blocks_keep_neighbours_together() -> None:
    """A series that goes up and down slowly has a less certain mean than its values by chance."""
    chance = random.Random(6)
    slow = [float(index // 20 % 2) for index in range(200)]
    shuffled = chance.sample(slow, k=200)
    wide, narrow = (
        statistics.stdev(draw_means_of_blocks(each, chance)) for each in (slow, shuffled)
    )
    assert wide > 1.8 * narrow


def test_the_ends_of_a_series_count_as_much_as_all_else() -> None:
    """Else what happens in the first and the last moment would be half forgotten."""
    draws = draw_means_of_blocks([10.0, *[0.0] * 6, 10.0], random.Random(7))
    assert statistics.median(draws) == pytest.approx(20 / 8, rel=0.1)


def run(seed: int, *, by: float = 1.0, count: int = 1_000, bad: int = 0) -> Result:
    """A run of answers whose TTFT is about 60 ms, longer by a factor."""
    chance = random.Random(seed)
    samples = [
        answered(
            due := chance.uniform(0, 9_900), due, due + by * chance.lognormvariate(4, 0.3), [5, 5]
        )
        for _ in range(count)
    ]
    samples += [failed("lost", 5, 9, sent=6)] * bad
    return result_of(plan_of("ttft_p95<1s", drain_s=1), samples)


def by_name(found: tuple[Difference, ...]) -> dict[str, Difference]:
    """Each figure's."""
    return {each.figure: each for each in found}


@pytest.mark.slow
def test_a_real_difference_is_found() -> None:
    """A fifth more is more than noise with a thousand requests; the interval holds it."""
    found = by_name(compare(run(1), run(2, by=1.2)))
    for figure in ("ttft_p50", "ttft_p95", "ttft_mean"):
        assert found[figure].verdict == "worse"
        change = found[figure].change
        assert change.low is not None
        assert change.high is not None
        assert change.low < 0.2 < change.high
        assert "more than noise" in found[figure].why
    assert by_name(compare(run(2, by=1.2), run(1)))["ttft_p50"].verdict == "better"


def test_noise_is_told_as_noise() -> None:
    """Two runs of the same, with thirty requests each: nobody can say."""
    found = by_name(compare(run(3, count=80), run(4, count=80)))
    assert found["ttft_p50"].verdict == "undetermined"
    assert "ttft_p99" not in found
    assert found["icl_p50"].verdict == "same"


@pytest.mark.slow
def test_the_same_run_is_the_same() -> None:
    """Where there are enough requests for one in a hundred to be told."""
    found = by_name(compare(run(5, count=20_000), run(6, count=20_000)))
    assert found["e2e_mean"].verdict == "same"
    assert found["errors"].verdict == "same"
    assert found["attainment"].verdict == "same"


@pytest.mark.slow
def test_errors_and_attainment_are_compared_in_points() -> None:
    """A hundred failures of 1,100 where there were none."""
    found = by_name(compare(run(7), run(8, bad=100)))
    assert (found["errors"].verdict, found["attainment"].verdict) == ("worse", "worse")
    assert found["errors"].change.value == pytest.approx(100 / 1_100)
    assert "+9.1 points" in found["errors"].why


@pytest.mark.slow
def test_more_is_better_for_rates() -> None:
    """Half as many tokens a second are worse."""
    found = by_name(compare(run(9, count=2_000), run(10, count=1_000)))
    assert found["output_tokens"].verdict == found["completed"].verdict == "worse"
    assert found["output_tokens"].change.value == pytest.approx(-0.5, abs=0.01)
    assert found["output_tokens"].before == pytest.approx(600, rel=0.01)


@pytest.mark.slow
def test_one_seed_one_answer() -> None:
    """And each with its own draws."""
    a, b = run(11, count=200), run(12, count=200)
    assert compare(a, b, seed=1) == compare(a, b, seed=1)
    assert compare(a, b, seed=1) != compare(a, b, seed=2)


@pytest.mark.slow
def test_all_metrics_can_be_compared() -> None:
    """Those that a run does not have are left out."""
    found = by_name(compare(run(13), run(14), metrics=METRICS))
    assert "e2e_service_p50" in found
    assert "server_tpot_p50" not in found


def streams(seed: int, *, count: int = 60, chunks: int = 100) -> Result:
    """A run whose answers are each as slow as chance has it, from beginning to end."""
    chance = random.Random(seed)
    samples = [
        answered(due, due, due + 50, [20 * chance.lognormvariate(0, 0.2)] * chunks)
        for due in range(count)
    ]
    return result_of(plan_of(), samples)


@pytest.mark.slow
def test_chunks_say_no_more_than_the_answers_that_they_are_of() -> None:
    """Were 6,000 chunks as many facts, most pairs of like runs would seem to differ."""
    told = [
        each.verdict
        for seed in range(0, 40, 2)
        for each in compare(streams(seed), streams(seed + 1), metrics=("icl",))
        if each.figure.startswith("icl_")
    ]
    assert len(told) == 40, "the median and the mean: sixty answers are too few for p95"
    assert sum(verdict in {"better", "worse"} for verdict in told) <= 2


def test_a_few_requests_have_no_mean_that_can_be_compared() -> None:
    """One request each: half as slow again may be anything."""
    found = [
        result_of(plan_of(), [answered(0, 1, first, [10])] * count)
        for count in (1, 5)
        for first in (100, 150)
    ]
    for a, b in ((0, 1), (2, 3), (0, 3)):
        assert {each.figure for each in compare(found[a], found[b])} == {"errors"}


def test_means_of_few_values_are_drawn_wider() -> None:
    """Student's: of six values the interval is 2.57 standard errors each way, not 1.96."""
    values, found = drawn(9, 6)
    ends = spread(0.0, draw_mean(found, random.Random(1)))
    error = statistics.stdev(values) / 6**0.5
    assert ends.high is not None
    assert ends.high - statistics.mean(values) == pytest.approx(2.57 * error, rel=0.15)


def test_attainments_of_different_objectives_are_not_compared() -> None:
    """However they were written, equal ones are."""
    samples = [answered(0, 1, 100, [10])] * 100
    loose, tight, same = (
        result_of(plan_of(text), samples)
        for text in ("ttft_p95<800ms", "ttft_p95<80ms", "TTFT_p95 < 0.8s")
    )
    assert "attainment" not in by_name(compare(loose, tight))
    assert "attainment" in by_name(compare(loose, same))


def test_a_few_errors_more_are_not_the_same() -> None:
    """Fifty of ten thousand where there were none: half a point, and no chance."""
    good = [answered(0, 1, 100)] * 10_000
    runs = [result_of(plan_of(), good + [failed("lost", 0, 5, sent=1)] * bad) for bad in (0, 50)]
    assert by_name(compare(*runs))["errors"].verdict == "worse"
    assert by_name(compare(*reversed(runs)))["errors"].verdict == "better"
    unchanged = by_name(compare(runs[0], runs[0]))["errors"]
    assert unchanged.verdict == "same"
    assert "less than 1 point either way" in unchanged.why


def test_runs_without_requests_have_no_differences() -> None:
    """There is nothing to compare."""
    empty = result_of(plan_of(), [])
    assert compare(empty, empty) == compare(empty, run(15)) == ()


def test_a_comparison_can_be_written_as_json() -> None:
    """There is no infinity in it."""
    found = compare(run(16), run(17))
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[Difference, ...]) == found


def mixed(seed: int, *, by: float = 1.0, count: int = 300) -> Result:
    """A run with all figures: answers that vary in length and speed, some of which fail."""
    chance, samples = random.Random(seed), []
    for _ in range(count):
        due, slow = chance.uniform(0, 9_900), by * chance.lognormvariate(0, 0.15)
        first = due + by * chance.lognormvariate(4, 0.3)
        gaps = [slow * chance.lognormvariate(1.6, 0.3) for _ in range(chance.randrange(3, 9))]
        is_lost = chance.random() < 0.02
        samples.append(
            failed("lost", due, due + 5, sent=due + 1)
            if is_lost
            else answered(due, due, first, gaps)
        )
    return result_of(plan_of("ttft_p95<100ms", drain_s=1), samples)


@pytest.mark.slow
def test_runs_of_the_same_seldom_seem_to_differ_in_any_figure() -> None:
    """In one of twenty comparisons at most, however many figures are judged in each."""
    seeds = range(0, 80, 2)
    found = [compare(mixed(seed), mixed(seed + 1)) for seed in seeds]
    assert min(map(len, found)) >= 15
    wrong = [any(each.verdict in {"better", "worse"} for each in told) for told in found]
    assert sum(wrong) <= 0.05 * len(seeds)


@pytest.mark.slow
def test_a_tenth_more_is_found_in_every_figure_that_can_tell() -> None:
    """For each seed, although all the other figures are judged with it."""
    for seed in range(0, 10, 2):
        found = by_name(compare(mixed(seed, count=800), mixed(seed + 1, by=1.1, count=800)))
        for figure in ("ttft_p50", "ttft_mean", "tpot_p50", "tpot_mean", "e2e_p50", "e2e_mean"):
            assert found[figure].verdict == "worse", (seed, figure)


def test_what_the_client_cannot_time_makes_no_verdict() -> None:
    """Half a millisecond of ten is 5 %, more than noise; with an error of 1 ms it may be none."""
    runs = [
        result_of(plan_of(), [answered(n, n, n + first, [20] * 3) for n in range(400)])
        for first in (10.0, 10.5)
    ]
    assert by_name(compare(*runs))["ttft_mean"].verdict == "worse"
    runs = [replace(each, client=replace(each.client, timing_error_s=0.001)) for each in runs]
    told = by_name(compare(*runs))["ttft_mean"]
    assert told.verdict == "undetermined"
    assert "the client's own timing error is 1 ms" in told.why


def test_requests_that_wait_together_count_for_fewer() -> None:
    """A third of each run is slow; in one burst it says less than one request in three does."""

    def slow(is_burst: bool, share: int) -> Result:  # noqa: FBT001
        samples = [
            answered(at, at, at + (300 if is_slow else 100))
            for n in range(900)
            for at in [n * 11.0]
            for is_slow in [n < 9 * share if is_burst else n * 37 % 100 < share]
        ]
        return result_of(plan_of(), samples)

    for is_burst, verdict in ((False, "worse"), (True, "undetermined")):
        found = by_name(compare(slow(is_burst, 30), slow(is_burst, 40)))
        assert found["ttft_mean"].verdict == verdict


def test_only_the_lesser_percentile_needs_an_upper_end() -> None:
    """Of a long queue little is known but that it was long, and that is enough."""
    quiet = [answered(n * 11, n * 11, n * 11 + 100) for n in range(900)]
    queued = [
        answered(at, at, at + (1_500 if n % 450 < 150 else 120))
        for n in range(900)
        for at in [n * 11.0]
    ]
    before, after = result_of(plan_of(), queued), result_of(plan_of(), quiet)
    assert independent_of(before, "ttft", 0.95) < 73
    assert by_name(compare(before, after))["ttft_p95"].verdict == "better"
    told = by_name(compare(before, before))["ttft_p95"]
    assert told.verdict == "undetermined"
