"""Objectives held against a whole run."""

import pytest
from tests.adapters.loadtest.measures.made import answered, failed, plan_of, result_of

from triollama_adapters.loadtest.result import Judged
from triollama_adapters.loadtest.sample import Sample


def judged(text: str, samples: list[Sample]) -> Judged:
    """The verdict on one objective."""
    attained = result_of(plan_of(text), samples).attained
    assert attained is not None
    (found,) = attained.judged
    return found


def fast(count: int) -> list[Sample]:
    """Answers with a TTFT of 100 ms."""
    return [answered(0, 1, 100, [10])] * count


def slow(count: int) -> list[Sample]:
    """Answers with a TTFT of 900 ms."""
    return [answered(0, 1, 900, [90])] * count


def test_a_limit_is_met_when_the_whole_interval_is_below_it() -> None:
    """The figure comes with its ends."""
    found = judged("ttft_p95<800ms", fast(100))
    assert (found.met, found.why) == ("met", "100 values")
    assert found.value is not None
    assert (found.value.low, found.value.value, found.value.high) == (0.1, 0.1, 0.1)


def test_a_limit_is_missed_when_the_whole_interval_is_above_it() -> None:
    """A quarter of a hundred requests above it is more than one in twenty."""
    assert judged("ttft_p95<800ms", fast(75) + slow(25)).met == "missed"


def test_an_interval_that_holds_the_limit_is_undetermined() -> None:
    """Six of a hundred are slow, which chance may bring about with a p95 on either side."""
    found = judged("ttft_p95<800ms", fast(94) + slow(6))
    assert found.met == "undetermined"
    assert "holds the limit" in found.why
    assert found.value is not None
    assert found.value.value > 0.8


def test_too_few_requests_are_undetermined_however_fast_they_were() -> None:
    """p95 needs 72 of them."""
    assert judged("ttft_p95<800ms", fast(71)).met == "undetermined"
    assert "72 are needed" in judged("ttft_p95<800ms", fast(71)).why
    assert judged("ttft_p95<800ms", fast(72)).met == "met"


def test_few_requests_can_be_enough_to_miss() -> None:
    """Ten slow ones of ten: were p50 below the limit, that would be one case of a thousand."""
    assert judged("ttft_p50<800ms", slow(10)).met == "missed"


def test_who_failed_is_later_than_all_others() -> None:
    """A server that refuses a tenth is not fast for 95 % of its users."""
    refused = [failed("queue_503", 0, 5, sent=1)] * 20
    found = judged("ttft_p95<800ms", fast(180) + refused)
    assert found.met == "missed"
    assert found.value is None
    assert "200 requests, 20 of which never had it" in found.why
    assert judged("ttft_p50<800ms", fast(180) + refused).met == "met"
    assert judged("tpot_p95<800ms", fast(180) + refused).met == "met"


def test_who_was_never_sent_is_late_too() -> None:
    """The client's limit does not make the server faster."""
    assert judged("e2e_p90<1s", fast(100) + [failed("unsent", 0, 5)] * 30).met == "missed"


def test_who_was_cut_off_before_it_was_late_does_not_count() -> None:
    """Nobody knows; the verdict says how many."""
    cut = [failed("censored", 0, 50, sent=1)] * 5
    found = judged("ttft_p90<100ms", [answered(0, 1, 50)] * 40 + cut)
    assert found.met == "met"
    assert "5 were cut off or left" in found.why


def test_the_first_output_counts_from_when_it_was_due() -> None:
    """The distribution is of service times; the objective is about the user."""
    late = [answered(0, 700, 900)] * 10
    found = judged("ttfo_p50<800ms", late)
    assert found.met == "missed"
    assert found.value is not None
    assert found.value.value == pytest.approx(0.9)


def test_pauses_are_pooled() -> None:
    """Of all chunks of all answers."""
    found = judged("icl_p50<50ms", fast(10))
    assert (found.met, found.why) == ("met", "10 values")


@pytest.mark.parametrize(
    ("text", "bad", "met"),
    [
        ("errors<1%", 0, "met"),
        ("errors<1%", 5, "undetermined"),
        ("errors<1%", 50, "missed"),
        ("errors<=0%", 0, "met"),
        ("errors<=0%", 1, "missed"),
    ],
)
def test_errors_are_judged_by_their_interval(text: str, bad: int, met: str) -> None:
    """Of a thousand requests, five failures may be one in a hundred."""
    found = judged(text, fast(1000 - bad) + [failed("lost", 0, 5, sent=1)] * bad)
    assert found.met == met
    assert f"{bad} of 1000 failed" in found.why


def test_no_requests_are_undetermined() -> None:
    """Nothing was measured."""
    assert judged("errors<1%", []) == Judged("errors<1%", None, "undetermined", "no requests")
    assert judged("ttft_p95<1s", []).met == "undetermined"
    assert judged("ttft_p95<1s", []).value is None


def test_objectives_keep_their_order() -> None:
    """Errors among durations, too."""
    plan = plan_of("errors<1%", "ttft_p50<1s", "errors<50%", "e2e_p50<1s")
    attained = result_of(plan, fast(10)).attained
    assert attained is not None
    assert [each.objective for each in attained.judged] == [each.text for each in plan.objectives]
