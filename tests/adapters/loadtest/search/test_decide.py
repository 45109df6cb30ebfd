"""The course of a search: doubling, bisection, repetition, and every way in which it ends."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.result import Met
from triollama_adapters.loadtest.search.decide import SearchRules, Tried, Try, Verdict, decide

RULES = SearchRules()


def search(
    rules: SearchRules,
    capacity: float,
    *,
    blur: float = 0.0,
    client_max: float = float("inf"),
) -> tuple[Verdict, list[Tried]]:
    """Search a server that is sure of itself but for rates within `blur` of its capacity."""
    tried: list[Tried] = []
    while True:
        step = decide(rules, tried)
        if isinstance(step, Verdict):
            return step, tried
        met: Met = "met" if step.rate <= capacity else "missed"
        if step.rate > client_max:
            tried.append(Tried(step.rate, "undetermined", is_valid=False))
        elif abs(step.rate / capacity - 1) < blur:
            tried.append(Tried(step.rate, "undetermined"))
        else:
            tried.append(Tried(step.rate, met))


def rates(tried: list[Tried]) -> list[float]:
    """The rates in the order in which they were run."""
    return [each.rate for each in tried]


def test_doubling_then_bisection_then_both_ends_once_more() -> None:
    """The course for a capacity of 13."""
    verdict, tried = search(SearchRules(tolerance=0.05), 13.0)
    assert rates(tried)[:5] == [1, 2, 4, 8, 16]
    assert rates(tried)[5:9] == [11.31, 13.45, 12.33, 12.88]
    assert rates(tried)[9:] == [12.88, 13.45]
    assert verdict == Verdict("found", 12.88, 13.45, "12.88 is met, 13.45 is not")


@given(st.floats(0.011, 9_999))
def test_a_capacity_is_found_within_the_tolerance(capacity: float) -> None:
    """Whatever it is, the bracket holds it, and takes no more than forty runs."""
    verdict, tried = search(RULES, capacity)
    assert verdict.state == "found"
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= capacity < verdict.high
    assert verdict.high <= verdict.low * 1.0400001
    assert len(tried) <= 30


@given(st.floats(0.1, 1_000), st.floats(0.03, 0.3), st.floats(0.005, 0.2))
def test_around_what_cannot_be_told_the_bracket_is_still_as_narrow_as_it_can_be(
    capacity: float, blur: float, tolerance: float
) -> None:
    """It holds the capacity, and lies within the tolerance around the rates of doubt."""
    rules = SearchRules(tolerance=tolerance, steps_max=200)
    verdict, _ = search(rules, capacity, blur=blur)
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low <= capacity <= verdict.high
    assert verdict.low >= capacity * (1 - blur) / (1 + tolerance) * 0.999
    assert verdict.high <= capacity * (1 + blur) * (1 + tolerance) * 1.001
    if verdict.state == "undetermined":
        assert "it cannot be told from 3 runs" in verdict.why
    else:
        assert verdict.high <= verdict.low * (1 + tolerance) * 1.001


def test_an_undetermined_run_is_repeated_twice_as_long_each_time() -> None:
    """Up to its bound, and then the search goes around it."""
    doubt = Tried(1.0, "undetermined")
    assert decide(RULES, [doubt]) == Try(1.0, 2)
    assert decide(RULES, [doubt, doubt]) == Try(1.0, 4)
    assert decide(RULES, [doubt, doubt, doubt]) == Try(0.5)
    assert decide(RULES, [doubt, Tried(1.0, "met")]) == Try(2.0)


def test_the_last_run_of_a_rate_counts() -> None:
    """An end of the bracket that does not hold when it is run again is given up."""
    tried = [Tried(1.0, "met"), Tried(2.0, "missed"), Tried(1.414, "met"), Tried(1.682, "met")]
    tried += [Tried(1.834, "met"), Tried(1.915, "met")]
    rules = SearchRules(tolerance=0.05)
    assert decide(rules, tried) == Try(1.915, 2)
    tried.append(Tried(1.915, "missed"))
    assert decide(rules, tried) == Try(1.834, 2)
    tried.append(Tried(1.834, "met"))
    assert decide(rules, tried) == Verdict("found", 1.834, 1.915, "1.834 is met, 1.915 is not")


def test_an_end_whose_queue_grew_is_not_run_again() -> None:
    """That is no matter of chance."""
    tried = [Tried(1.0, "met"), Tried(1.0, "met"), Tried(1.04, "missed", is_saturated=True)]
    assert decide(RULES, tried) == Verdict("found", 1.0, 1.04, "1 is met, 1.04 is not")


def test_a_server_that_meets_everything_is_above() -> None:
    """The highest rate that is allowed is run twice."""
    verdict, tried = search(SearchRules(start=3, most=10), 1_000)
    assert rates(tried) == [3, 6, 10, 10]
    assert verdict == Verdict("above", 10.0, None, "10 is met, and no more was allowed")


def test_a_server_that_meets_nothing_is_below() -> None:
    """The lowest rate that is allowed is tried."""
    verdict, tried = search(SearchRules(start=1, least=0.2), 0.01)
    assert rates(tried) == [1, 0.5, 0.25, 0.2]
    assert verdict == Verdict("below", None, 0.2, "even 0.2 is too much")


def test_the_start_may_be_too_high() -> None:
    """Then rates are halved until one is met."""
    verdict, tried = search(SearchRules(start=100), 20)
    assert rates(tried)[:4] == [100, 50, 25, 12.5]
    assert verdict.state == "found"


@given(st.floats(1.5, 400))
def test_no_rate_above_what_the_client_can_offer_is_tried(client_max: float) -> None:
    """The answer is that the capacity is above what the load tester can."""
    verdict, tried = search(RULES, 1_000, client_max=client_max)
    assert verdict.state == "above"
    assert verdict.low is not None
    assert client_max / 1.051 <= verdict.low <= client_max
    assert "the load tester did not keep up" in verdict.why
    invalid = [each.rate for each in tried if not each.is_valid]
    assert all(invalid.count(rate) == 2 for rate in invalid), "each is tried once more"
    assert max(rates(tried)) == max(invalid) <= 2 * client_max


@given(st.floats(2.1, 15.9), st.floats(1.01, 1.5))
def test_rates_that_the_client_never_keeps_up_with_are_gone_around(
    begin: float, times: float
) -> None:
    """Also where a higher one is known to be missed: the search ends."""
    tried = [Tried(1.0, "met"), Tried(2.0, "met"), Tried(4.0, "met"), Tried(8.0, "met")]
    tried += [Tried(16.0, "missed")]
    while isinstance(step := decide(RULES, tried), Try):
        is_valid = not begin <= step.rate <= begin * times
        met: Met = "met" if step.rate < 12 else "missed"
        tried.append(Tried(step.rate, met if is_valid else "undetermined", is_valid=is_valid))
    assert len(tried) < 40
    assert step.low is not None
    assert step.high is not None
    assert step.low < 12 <= step.high


def test_a_run_that_something_else_held_up_is_made_once_more() -> None:
    """The second time it tells what it was made for."""
    tried = [Tried(1.0, "met"), Tried(2.0, "undetermined", is_valid=False)]
    assert decide(RULES, tried) == Try(2.0)
    assert decide(RULES, [*tried, Tried(2.0, "met")]) == Try(4.0)


def test_it_is_as_long_as_the_one_before() -> None:
    """And the shorter ones before it do not stand for it."""
    tried = [Tried(1.0, "met"), Tried(1.03, "missed", is_saturated=True)]
    assert decide(RULES, tried) == Try(1.0, 2)
    tried.append(Tried(1.0, "undetermined", is_valid=False))
    assert decide(RULES, tried) == Try(1.0, 2)
    found = Verdict("found", 1.0, 1.03, "1 is met, 1.03 is not")
    assert decide(RULES, [*tried, Tried(1.0, "met")]) == found
    held_up_again = [*tried, Tried(1.0, "undetermined", is_valid=False)]
    assert decide(RULES, held_up_again) == found, "the run that was well still counts"


def test_a_client_that_can_offer_nothing_tells_nothing() -> None:
    """It is neither met nor missed."""
    verdict, _ = search(RULES, 1_000, client_max=0.001)
    assert (verdict.state, verdict.low, verdict.high) == ("undetermined", None, None)


@given(st.integers(0, 2**32))
def test_pure_noise_ends_all_the_same(seed: int) -> None:
    """Whatever runs say, the search ends in time, and its bracket agrees with the last runs."""
    draw, tried = random.Random(seed), list[Tried]()
    rules = SearchRules(steps_max=25)
    met: tuple[Met, ...] = ("met", "missed", "undetermined")
    while isinstance(step := decide(rules, tried), Try):
        assert rules.least <= step.rate <= rules.most
        tried.append(Tried(step.rate, draw.choice(met)))
    assert len(tried) <= 25
    last = {each.rate: each.met for each in tried}
    assert step.low is None or last[step.low] == "met"
    assert step.high is None or last[step.high] == "missed"
    if step.low is not None and step.high is not None:
        assert step.low < step.high


def test_a_search_that_is_stopped_tells_the_bracket_so_far() -> None:
    """That is not an answer, but better than none."""
    tried = [Tried(1.0, "met"), Tried(2.0, "met"), Tried(4.0, "missed")]
    verdict = decide(RULES, tried, is_stopped=True)
    assert verdict == Verdict("undetermined", 2.0, 4.0, "it was stopped after 3 runs")
    assert decide(RULES, [], is_stopped=True) == Verdict(
        "undetermined", None, None, "it was stopped after 0 runs"
    )
    assert decide(RULES, tried[:1], is_stopped=True) == Verdict(
        "undetermined", 1.0, None, "it was stopped after 1 run"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 0.0},
        {"start": float("nan")},
        {"least": 2.0},
        {"most": 0.5},
        {"most": float("inf")},
        {"tolerance": 0.0},
        {"tolerance": float("nan")},
        {"repeats_max": -1},
        {"steps_max": 0},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    """By name."""
    with pytest.raises(PlanError):
        SearchRules(**wrong)
