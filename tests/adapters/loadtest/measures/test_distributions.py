"""Percentiles and their intervals."""

import random

import pytest
from tests.adapters.loadtest.measures.made import answered, plan_of, result_of

from triollama_adapters.histogram import Histogram, ranks_for
from triollama_adapters.loadtest.measures.distributions import percentile_of, ranks_among
from triollama_adapters.loadtest.result import Result


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_values_that_are_alike_have_the_interval_of_fewer(share: float) -> None:
    """A thousand values, each ten times, have the interval of a thousand."""
    once, often = Histogram(), Histogram()
    for value in range(1_000_000, 2_000_000, 1_000):
        once.record(value)
        often.record(value, 10)
    expected = percentile_of(once, share)
    assert percentile_of(often, share, independent=1_000) == expected
    narrow = percentile_of(often, share)
    assert narrow is not None
    assert expected is not None
    assert narrow.low is not None
    assert expected.low is not None
    assert narrow.low > expected.low


def test_more_independent_values_than_there_are_change_nothing() -> None:
    """And none at all give no interval."""
    assert ranks_among(500, 0.9, 800) == ranks_among(500, 0.9) == ranks_for(500, 0.9)
    assert ranks_among(500, 0.9, 0) == (450, None, None)
    rank, low, high = ranks_among(500, 0.9, 40)
    assert rank == 450
    assert low is not None
    assert high is not None
    assert 1 <= low < rank < high <= 500


def streams(seed: int, *objectives: str, answers: int = 100, chunks: int = 60) -> Result:
    """Answers of about 20 ms between chunks; each has a speed of its own."""
    chance, samples = random.Random(seed), []
    for due in range(answers):
        speed = chance.lognormvariate(0.0, 0.3)
        gaps = [20 * speed * chance.lognormvariate(0.0, 0.05) for _ in range(chunks)]
        samples.append(answered(due, due, due + 50, gaps))
    return result_of(plan_of(*objectives), samples)


def test_the_interval_of_the_time_between_chunks_holds_its_median() -> None:
    """It is 20 ms: outside of at most one in twenty intervals, though chunks are alike."""
    missed = 0
    for seed in range(100):
        found = streams(seed).metrics["icl"].percentiles["p50"]
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= 0.020 <= found.high
    assert missed <= 5


def test_a_percentile_of_chunks_is_withheld_for_want_of_answers() -> None:
    """Six thousand chunks of a hundred answers are too few for p99, as a hundred requests are."""
    found = streams(1).metrics["icl"]
    assert found.count == 6_000
    assert found.percentiles["p95"] is not None
    assert found.percentiles["p99"] is None


def test_an_objective_on_chunks_is_judged_by_answers() -> None:
    """Whether 95 of a hundred answers are fast, or 93, is chance."""
    (judged,) = (streams(2, "icl_p95<32ms").attained or pytest.fail("no objectives")).judged
    assert judged.met == "undetermined"
    assert judged.value is not None
    assert judged.value.low is not None
    assert judged.value.high is not None
    assert judged.value.low < 0.032 < judged.value.high
    (judged,) = (streams(2, "icl_p99<70ms").attained or pytest.fail("no objectives")).judged
    assert judged.met == "undetermined"
    assert "368 answers are needed to be sure" in judged.why
    (judged,) = (streams(2, "icl_p50<32ms").attained or pytest.fail("no objectives")).judged
    assert judged.met == "met"
