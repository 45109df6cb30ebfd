"""What one run shows, and how much its requests tell."""

import random

import pytest
from msgspec.structs import replace
from tests.adapters.loadtest.search.queue_model import (
    Asked,
    QueueModel,
    plan_of,
    result_of,
    ttft_below,
)

from triollama_adapters.loadtest.measures.likeness import likeness, ratio_likeness
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.judging import judge_step
from triollama_adapters.loadtest.search.steps import at_rate

OBJECTIVE = ttft_below(0.8)


def run(rate: float, *, model: QueueModel | None = None, duration_s: float = 60.0) -> Result:
    """One run."""
    plan = at_rate(plan_of(OBJECTIVE), rate, duration_s=duration_s, seed=7)
    return result_of(plan, (model or QueueModel()).serve(plan))


def test_a_run_well_within_its_objective_is_met() -> None:
    """With the reason."""
    verdict = judge_step(run(8.0))
    assert (verdict.met, verdict.is_saturated, verdict.is_valid) == ("met", False, True)
    assert "ttft_p95<800ms" in verdict.why


def test_a_run_beyond_its_objective_is_missed() -> None:
    """Without being over-saturated."""
    verdict = judge_step(run(8.0, model=QueueModel(prefill_s=0.9, slots=64)))
    assert (verdict.met, verdict.is_saturated) == ("missed", False)


def test_a_load_tester_that_did_not_keep_up_tells_nothing() -> None:
    """Whatever it measured."""
    plan = at_rate(plan_of(OBJECTIVE), 8.0, duration_s=60.0, seed=7)
    verdict = judge_step(result_of(plan, QueueModel().serve(plan), "INVALID"))
    assert (verdict.met, verdict.is_valid) == ("undetermined", False)
    assert verdict.why == "the load tester was the bottleneck; it was too slow"


def test_a_run_that_was_stopped_is_not_met() -> None:
    """What would have come is not known; but what is missed stays missed."""
    assert judge_step(replace(run(8.0), is_stopped=True)).met == "undetermined"
    missed = run(8.0, model=QueueModel(prefill_s=0.9, slots=64))
    assert judge_step(replace(missed, is_stopped=True)).met == "missed"


@pytest.mark.parametrize(("rate", "met"), [(12.0, "met"), (18.0, "undetermined"), (18.5, "missed")])
def test_without_an_objective_on_latency_what_stays_behind_counts(rate: float, met: str) -> None:
    """Eight slots of half a second do sixteen a second; just above it may be chance."""
    plan = at_rate(plan_of(), rate, duration_s=10.0, seed=7)
    verdict = judge_step(result_of(plan, QueueModel().serve(plan)))
    assert (verdict.met, verdict.is_saturated) == (met, False)
    assert "stayed behind" in verdict.why


def plan_without_objective() -> Plan:
    """For errors alone."""
    return at_rate(plan_of(), 10.0, duration_s=60.0, seed=7)


@pytest.mark.parametrize(
    ("failed", "met"), [(0, "met"), (4, "met"), (6, "undetermined"), (30, "missed")]
)
def test_errors_are_held_against_a_share_where_nobody_says_otherwise(failed: int, met: str) -> None:
    """Of 400 requests 4 are 1 %; 6 may be chance; 30 are not."""
    plan = plan_without_objective()
    asked = [Asked(10 + n / 8, 0, n / 8 + 10.1, n / 8 + 10.2, n < failed) for n in range(400)]
    assert judge_step(result_of(plan, asked)).met == met


def test_no_requests_tell_nothing() -> None:
    """An empty window is not a success."""
    assert judge_step(result_of(plan_without_objective(), [])).met == "undetermined"


def test_a_verdict_that_hangs_on_one_queue_is_doubted() -> None:
    """Six of a hundred are slow, all in the same few seconds: five or seven would be as likely."""
    plan = at_rate(plan_of(OBJECTIVE), 50.0, duration_s=60.0, seed=7)
    slow = range(1_000, 1_114)  # of 3,000: 3.8 %
    asked = [
        Asked(due_s, due_s, due_s + (2.0 if n in slow else 0.5), due_s + 2.1)
        for n in range(3_000)
        for due_s in [10.0 + n / 50]
    ]
    result = result_of(plan, asked)
    assert result.attained is not None
    assert result.attained.judged[0].met == "met", "taken one by one they are"
    verdict = judge_step(result)
    assert verdict.met == "undetermined"
    assert "of 3,000 requests were beyond 0.8 s" in verdict.why
    scattered = [replace_at(asked, n, 27) for n in range(3_000)]
    assert judge_step(result_of(plan, scattered)).met == "met"


def test_far_from_the_limit_there_is_no_doubt() -> None:
    """The same requests, with an objective that their p95 is four times below."""
    plan = at_rate(plan_of(ttft_below(1.9)), 50.0, duration_s=60.0, seed=7)
    slow = range(1_000, 1_114)
    asked = [
        Asked(due_s, due_s, due_s + (2.0 if n in slow else 0.4), due_s + 2.1)
        for n in range(3_000)
        for due_s in [10.0 + n / 50]
    ]
    assert judge_step(result_of(plan, asked)).met == "met"


def replace_at(asked: list[Asked], index: int, step: int) -> Asked:
    """The request at an index, slow if every so-manieth is."""
    due_s = asked[index].due_s
    return Asked(due_s, due_s, due_s + (2.0 if index % step == 0 else 0.5), due_s + 2.1)


def test_independent_requests_tell_as_much_as_they_are() -> None:
    """The likeness of what is drawn anew each time is about 1."""
    draw = random.Random(5)
    found = []
    for _ in range(50):
        slow = [sum(draw.random() < 0.05 for _ in range(20)) for _ in range(60)]
        found.append(ratio_likeness(slow, [20] * 60))
    assert 1.0 <= sum(found) / len(found) < 1.5


def test_requests_that_are_slow_together_tell_less() -> None:
    """If in a moment all are slow or none, a moment tells as much as one request would."""
    draw = random.Random(5)
    slow = [20 * (draw.random() < 0.2) for _ in range(600)]
    assert ratio_likeness(slow, [20] * 600) == pytest.approx(20.0, rel=0.4)
    assert ratio_likeness([0, 0], [5, 5]) == 1.0


def test_the_nearer_to_the_capacity_the_more_alike() -> None:
    """At a third of the capacity requests are nearly independent, close to it they are not."""
    assert likeness(run(5.0, duration_s=600.0), 0.95) < 4
    assert likeness(run(14.5, duration_s=600.0), 0.95) > 10


def test_short_runs_are_taken_as_they_are() -> None:
    """Below ten moments nothing is known of it."""
    assert likeness(run(14.5, duration_s=9.0), 0.95) == 1.0
