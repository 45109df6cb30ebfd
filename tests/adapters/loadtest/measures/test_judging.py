"""Objectives held against a whole run."""

import pytest
from tests.adapters.loadtest.measures.made import MS, answered, failed, plan_of, result_of

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
    assert found.met == "met"
    assert found.why == "p95 of 100 requests is 100 ms (100 ms to 100 ms), and the limit is 800 ms"
    assert found.value is not None
    assert (found.value.low, found.value.value, found.value.high) == (0.1, 0.1, 0.1)


def test_a_limit_is_missed_when_the_whole_interval_is_above_it() -> None:
    """A quarter of a hundred requests above it is more than one in twenty."""
    found = judged("ttft_p95<800ms", fast(75) + slow(25))
    assert found.met == "missed"
    assert found.why == "p95 of 100 requests is 900 ms (900 ms to 900 ms), and the limit is 800 ms"


def test_an_interval_that_holds_the_limit_is_undetermined() -> None:
    """Six of a hundred are slow, which chance may bring about with a p95 on either side."""
    found = judged("ttft_p95<800ms", fast(94) + slow(6))
    assert found.met == "undetermined"
    assert "the limit is within the interval" in found.why
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
    assert found.why == (
        "20 of 200 requests never had a first token, so that p95 has no value; the limit is 800 ms"
    )
    found = judged("ttft_p50<800ms", fast(180) + refused)
    assert found.why.endswith("800 ms; 20 never had a first token and count as late")
    assert judged("ttft_p50<800ms", fast(180) + refused).met == "met"
    assert judged("tpot_p95<800ms", fast(180) + refused).met == "met"


def test_who_was_never_sent_is_late_too() -> None:
    """The client's limit does not make the server faster."""
    assert judged("e2e_p90<1s", fast(100) + [failed("unsent", 0, 5)] * 30).met == "missed"


def test_who_was_cut_off_before_it_was_late_must_not_matter() -> None:
    """Five of two hundred may all have been late, and p90 is met; of forty-five it is not."""
    cut = [failed("censored", 0, 50, sent=1)] * 5
    found = judged("ttft_p90<100ms", [answered(0, 1, 50)] * 195 + cut)
    assert found.met == "met"
    assert "5 were cut off before they were late, and may have been either" in found.why
    assert judged("ttft_p90<100ms", [answered(0, 1, 50)] * 40 + cut).met == "undetermined"


def test_who_was_cut_off_before_it_was_late_may_have_been_in_time() -> None:
    """Ten of thirty were late; it may have been ten of two hundred."""
    late, cut = [answered(0, 1, 150)] * 10, [failed("censored", 0, 50, sent=1)]
    assert judged("ttft_p90<100ms", [answered(0, 1, 50)] * 20 + late).met == "missed"
    told = judged("ttft_p90<100ms", [answered(0, 1, 50)] * 20 + late + cut * 170)
    assert told.met == "undetermined"
    assert judged("ttft_p90<100ms", late * 5 + cut * 10).met == "missed"


def test_who_was_left_by_their_user_does_not_count() -> None:
    """That was planned, and says nothing of the server; the verdict says how many."""
    left = [failed("cancelled", 0, 50, sent=1)] * 20
    found = judged("e2e_p90<100ms", [answered(0, 1, 50)] * 40 + left)
    assert found.met == "met"
    assert "20 were left by their users before they were late, and do not count" in found.why


def test_all_were_cut_off() -> None:
    """There is no figure, and it says why."""
    found = judged("ttft_p90<1s", [failed("censored", 0, 50, sent=1)] * 50)
    assert (found.met, found.value) == ("undetermined", None)
    assert found.why.startswith("nothing to measure it by; 50 were cut off")


def test_the_verdict_is_exact_where_the_histogram_is_not() -> None:
    """797 and 801 ms are one bucket, the middle of which is 799; a nanosecond decides."""
    wide = [answered(0, 1, 797)] * 9 + [answered(0, 1, 801)] * 100
    assert judged("ttft_p50<801ms", wide).met == "missed"
    assert judged("ttft_p50<=801ms", wide).met == "met"
    just = [answered(0, 1, 797)] * 9 + [answered(0, 1, 801, first_ns=801 * MS - 1)] * 100
    assert judged("ttft_p50<801ms", just).met == "met"


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
    assert found.met == "met"
    assert found.why.startswith("p50 of 10 times between chunks is 10 ms")


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
    assert f"{bad} of 1,000 requests failed" in found.why
    assert f"the limit is {text[-2]} %" in found.why


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
