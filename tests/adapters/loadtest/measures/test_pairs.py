"""Pairs of windows, compared pair by pair."""

import random
from collections.abc import Sequence

import pytest
from tests.adapters.loadtest.measures.made import answered, failed, plan_of, result_of

from triollama_adapters.loadtest.measures.differences import Difference
from triollama_adapters.loadtest.measures.pairs import PAIRS_MIN, compare_pairs
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.pooling import pool


def window(seed: int, *, by: float = 1.0, bad: int = 0, count: int = 60) -> Result:
    """A window of answers whose TTFT is about 55 ms, all of them longer by a factor."""
    chance = random.Random(seed)
    samples = [
        answered(
            due := chance.uniform(0, 9_900),
            due,
            due + by * chance.lognormvariate(4, 0.3),
            [by * 5 * chance.lognormvariate(0, 0.3) for _ in range(4)],
        )
        for _ in range(count)
    ]
    samples += [failed("lost", 5 + n, 9 + n, sent=6 + n) for n in range(bad)]
    return result_of(plan_of("ttft_p95<100ms", drain_s=1), samples)


def told(pairs: Sequence[tuple[Result, Result]]) -> dict[str, Difference]:
    """The differences by figure."""
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    found = compare_pairs(pool(a, "A"), pool(b, "B"), pairs)
    return {each.figure: each for each in found}


def test_what_hits_both_windows_of_a_pair_is_no_difference() -> None:
    """Times double from the first pair to the last, and B is a tenth slower in each."""
    factors = [1 + n / 9 for n in range(10)]
    found = told([(window(n, by=by), window(100 + n, by=1.1 * by)) for n, by in enumerate(factors)])
    for figure in ("ttft_p50", "ttft_mean", "tpot_mean"):
        assert found[figure].verdict == "worse"
        assert found[figure].change.value == pytest.approx(0.1, abs=0.06)
    found = told([(window(n, by=by), window(50 + n, by=by)) for n, by in enumerate(factors)])
    assert {each.verdict for each in found.values()} <= {"same", "undetermined"}


def test_pairs_that_do_not_agree_are_no_verdict() -> None:
    """Two windows of ten are three times slower: the mean is, and eight pairs say nothing."""
    slow = [3.0 if n in {3, 7} else 1.0 for n in range(10)]
    found = told([(window(n), window(n, by=by)) for n, by in enumerate(slow)])
    assert found["ttft_mean"].after > 1.3 * found["ttft_mean"].before
    assert found["ttft_mean"].verdict == "undetermined"


@pytest.mark.slow
def test_sides_that_are_alike_seldom_seem_to_differ() -> None:
    """In one of twenty A/B tests at most, though windows drift and their requests depend."""
    tries = 20
    wrong = 0
    for n in range(tries):
        chance = random.Random(n)
        pairs = [
            tuple(window(chance.getrandbits(30), by=chance.lognormvariate(0, 0.1)) for _ in "ab")
            for _ in range(10)
        ]
        found = told([(one, two) for one, two in pairs])
        wrong += any(each.verdict in {"better", "worse"} for each in found.values())
    assert wrong <= 0.05 * tries


def test_failures_are_compared_in_points() -> None:
    """Six of 66 in each window of B, and none in those of A."""
    found = told([(window(n), window(100 + n, bad=5 + n % 3)) for n in range(10)])
    assert found["errors"].verdict == "worse"
    assert found["errors"].change.value == pytest.approx(6 / 66, abs=0.01)
    assert found["attainment"].verdict in {"worse", "undetermined"}


def test_few_pairs_are_compared_request_by_request() -> None:
    """Three pairs say little of how much pairs differ; 360 requests say something."""
    pairs = [(window(n), window(100 + n, by=1.5)) for n in range(PAIRS_MIN - 1)]
    assert told(pairs)["ttft_p50"].verdict == "worse"


def test_a_figure_that_pairs_lack_is_no_verdict() -> None:
    """Where one window of each pair was not answered at all."""
    empty = result_of(plan_of("ttft_p95<100ms"), [])
    pairs = [(window(n), empty) if n % 2 else (empty, window(n, by=2.0)) for n in range(8)]
    assert told(pairs)["ttft_p50"].verdict == "undetermined"
