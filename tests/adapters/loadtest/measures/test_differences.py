"""Which of many figures differ, and whether it matters."""

import random

import pytest

from triollama_adapters.loadtest.measures.differences import (
    FALSE_MOST,
    MATTERS,
    Difference,
    Drawn,
    Unit,
    judge,
)


def drawn(
    change: float, error: float, *, unit: Unit = "s", error_s: float = 0.0, seed: int = 0
) -> Drawn:
    """A figure of 1 that changed, with a normal error."""
    chance = random.Random(seed)
    changes = [chance.gauss(change, error) for _ in range(4_000)]
    return Drawn("ttft_p50", unit, (1.0, 1.0 + change), change, changes, error_s=error_s)


def verdict(*figures: Drawn) -> Difference:
    """The first one's, among all of them."""
    return judge(figures)[0]


def test_the_more_figures_the_clearer_one_has_to_be() -> None:
    """2.5 standard errors are much for one figure, and nothing unusual for one of ten."""
    clear, noise = drawn(0.05, 0.02), [drawn(0.0, 0.02, seed=n) for n in range(9)]
    assert verdict(clear).verdict == "worse"
    told = verdict(clear, *noise)
    assert told.verdict == "undetermined"
    assert told.change.low is not None
    assert told.change.low > 0, "its own interval is the same"
    assert "may be noise, as 10 figures were looked at" in told.why
    assert verdict(drawn(0.1, 0.02), *noise).verdict == "worse"


def test_what_was_found_makes_room_for_the_next() -> None:
    """Holm: beside nine that are certain, the tenth is judged as if alone."""
    certain = [drawn(0.5, 0.02, seed=n) for n in range(9)]
    assert verdict(drawn(0.05, 0.02), *certain).verdict == "worse"


def test_a_difference_that_is_too_small_does_not_matter() -> None:
    """Though it is certain: 0.6 % and no more than 0.7 %."""
    told = verdict(drawn(0.006, 0.0005))
    assert told.verdict == "same"
    assert "+0.6 %" in told.why
    assert "less than 1 % either way" in told.why
    told = verdict(drawn(0.009, 0.002))
    assert told.verdict == "undetermined"
    assert "may be too small to matter" in told.why


def test_the_clients_own_error_is_the_least_that_matters_where_it_is_more() -> None:
    """A change of 5 %, of 1 s, where times may be wrong by 100 ms."""
    assert verdict(drawn(0.05, 0.005)).verdict == "worse"
    told = verdict(drawn(0.05, 0.005, error_s=0.1))
    assert told.verdict == "undetermined", "nobody has seen that they are the same"
    assert "the client's own timing error is 100 ms" in told.why
    assert verdict(drawn(0.002, 0.001, error_s=0.1)).verdict == "same"
    assert verdict(drawn(0.05, 0.005, error_s=0.001)).verdict == "worse"


def test_a_share_changes_by_points() -> None:
    """Half a point that is certain is much of errors, and within chance it is nothing."""
    assert verdict(drawn(0.005, 0.001, unit="share")).verdict == "worse"
    assert verdict(drawn(0.002, 0.002, unit="share")).verdict == "same"
    assert verdict(drawn(0.02, 0.02, unit="share")).verdict == "undetermined"
    assert verdict(drawn(0.0005, 0.0001, unit="share")).verdict == "same"


def test_too_few_values_are_no_verdict() -> None:
    """Whatever their draws say: the largest value drawn is the largest measured."""
    figure = Drawn("ttft_p99", "s", (1.0, 2.0), 1.0, [1.0] * 4_000, is_enough=False)
    told = verdict(figure)
    assert told.verdict == "undetermined"
    assert "too few requests" in told.why


def test_of_comparisons_without_a_change_one_in_twenty_is_wrong_at_most() -> None:
    """Ten independent figures each; alone, two in five would be."""
    tries, wrong = 300, 0
    for n in range(tries):
        chance = random.Random(f"measured/{n}")
        errors = [chance.gauss(0.0, 0.05) for _ in range(10)]
        told = judge([fast(error, 0.05, seed=(n, k)) for k, error in enumerate(errors)])
        wrong += any(each.verdict in {"better", "worse"} for each in told)
    assert wrong <= FALSE_MOST * tries


def fast(change: float, error: float, *, seed: object) -> Drawn:
    """As `drawn`, with fewer draws."""
    chance = random.Random(repr(seed))
    changes = [chance.gauss(change, error) for _ in range(1_000)]
    return Drawn("ttft_p50", "s", (1.0, 1.0 + change), change, changes)


def test_nothing_to_judge_is_no_difference() -> None:
    """And what matters is a share of what was."""
    assert judge([]) == ()
    assert pytest.approx(0.01) == MATTERS
