"""Requests counted and concluded, on cases worked out by hand."""

import random
from itertools import permutations

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from tests.adapters.loadtest.measures.made import (
    MS,
    NOWHERE,
    answered,
    failed,
    plan_of,
    result_of,
    tally_of,
)

from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.shares import wilson
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.result import Counts, Result
from triollama_adapters.loadtest.sample import Sample

CLOSE = 1 / 256
"""How near a percentile is."""


def test_goodput_by_hand() -> None:
    """Ten requests due in a window of ten seconds, of which four are good.

    Good are those within both limits, the one at the limit of ``<=``, and the one that ended after
    the window; not those too late by queue alone, too slow by token, failed, refused, never sent,
    cut off, or left by their user.
    """
    plan = plan_of("ttft_p95<500ms", "tpot_p95<=50ms")
    samples = [
        answered(0, 1, 100, [40, 40]),
        answered(0, 1, 499, [50, 50]),
        answered(1000, 1001, 1100, [51, 50]),  # too slow by half a millisecond for each token
        answered(2000, 2450, 2500, [10]),  # served in 50 ms, but due 500 before
        answered(9900, 9901, 9950, [40] * 20),  # ends after the window
        answered(3000, 3001, 3100, [1, 1]),
        answered(3000, 3001, 3100, [1], outcome="lost", detail="reset"),
        failed("queue_503", 4000, 4010, sent=4001, detail="server busy"),
        failed("unsent", 5000, 10_000),
        answered(9000, 9001, 9100, [1] * 9, outcome="censored", ended_ns=15_000 * MS),
    ]
    result = result_of(plan, samples)
    assert result.counts == Counts(
        scheduled=10,
        sent=9,
        ok=6,
        censored=1,
        errors={"lost": 1, "queue_503": 1, "unsent": 1},
        details={"lost": {"reset": 1}, "queue_503": {"server busy": 1}},
        chunks=3 + 3 + 3 + 2 + 21 + 3 + 2 + 10,
    )
    assert result.attained is not None
    assert result.attained.good == 4
    assert result.attained.share == wilson(4, 10)
    assert result.rates.goodput == 0.4
    assert (result.rates.offered, result.rates.sent, result.rates.completed) == (1.0, 0.9, 0.5)


def test_planned_leaving_is_neither_an_error_nor_good() -> None:
    """All that were due are what attainment is a share of."""
    plan = plan_of("ttft_p50<1s")
    left = answered(0, 1, 10, [5], outcome="cancelled", done_ns=0)
    result = result_of(plan, [answered(0, 1, 10), left])
    assert (result.counts.cancelled, result.counts.errors) == (1, {})
    assert result.attained is not None
    assert (result.attained.good, result.attained.share.value) == (1, 0.5)


def test_coordinated_omission_by_hand() -> None:
    """A server that freezes for a second, and a client with one connection that waits for it.

    Due every 100 ms, served in 10 ms. The request due at 5.0 s is answered at 6.0 s; the nine due
    behind it are sent at 6.0 s. By service time one request of a hundred was slow; by response
    time ten were, and p95 is 510 ms, not 10.
    """
    samples = []
    for due in range(0, 10_000, 100):
        sent, first = due, due + 10
        if due == 5000:
            first = 6000
        elif 5000 < due < 6000:
            sent, first = 6000, 6010
        samples.append(answered(due, sent, first, sent_ns=sent * MS + (due == 0)))
    result = result_of(plan_of("ttft_p90<100ms", "e2e_p50<100ms"), samples)
    service, response = result.metrics["ttft_service"], result.metrics["ttft"]
    by_service, by_response = service.percentiles["p95"], response.percentiles["p95"]
    assert by_service is not None
    assert by_service.value == pytest.approx(0.010, rel=CLOSE)
    assert by_response is not None
    assert by_response.value == pytest.approx(0.510, rel=CLOSE)
    assert by_response.low == pytest.approx(0.010, rel=CLOSE)  # the 90th of the hundred
    assert by_response.high == 1.0  # the last
    assert response.mean_s == (90 * 0.010 + 1.0 + sum(range(110, 1000, 100)) / 1000) / 100
    assert (response.least_s, response.most_s) == (0.010, 1.0)
    assert result.attained is not None
    assert result.attained.good == 90
    assert result.client.validity == "INVALID"
    assert result.client.start_delay_p99_s == pytest.approx(0.8, rel=CLOSE)


def test_what_was_cut_off_is_shown_and_in_no_end_to_end_time() -> None:
    """Its first token counts, its end is unknown; nothing is made of it."""
    plan = plan_of()
    cut = answered(9000, 9001, 9100, [100] * 30, outcome="censored", done_ns=0, output_tokens=0)
    result = result_of(plan, [answered(0, 1, 50, [10]), cut])
    assert result.counts.censored == 1
    assert result.metrics["ttft"].count == 2
    assert result.metrics["e2e"].count == 1
    assert result.metrics["icl"].count == 31
    assert result.attained is None


def test_tokens_count_where_they_are_received() -> None:
    """A window of 1 s to 2 s: what comes before and after it does not count, whoever asked.

    The first answer has 10 tokens in chunks at 0.8, 0.9, ... 1.7: eight within; it was due before,
    so it is in no distribution. The second has 30 tokens in three chunks, of which the first holds
    four: 4 at 1.9, then 13 at 2.0 and at 2.1, so four are within.
    """
    plan = plan_of(duration_s=1.0, warm_up_s=1.0)
    samples = [
        answered(0, 1, 800, [100] * 9, is_measured=False, prompt_tokens=7),
        answered(1500, 1501, 1900, [100, 100], tokens=30, first_tokens=4, prompt_tokens=100),
    ]
    result = result_of(plan, samples)
    assert result.rates.output_tokens == 8 + 4
    assert (result.rates.offered, result.rates.sent, result.rates.completed) == (1, 1, 1)
    assert (result.rates.prompt_tokens, result.rates.uncached_prompt_tokens) == (7, 7)
    assert (result.counts.scheduled, result.counts.before) == (1, 1)
    assert sum(each.output_tokens for each in result.moments) == 40


def test_tokens_nobody_counted_are_one_a_chunk() -> None:
    """An answer that broke off tells no count, but its chunks were received."""
    broken = answered(0, 1, 100, [1] * 4, outcome="lost", output_tokens=0)
    assert result_of(plan_of(duration_s=1), [broken]).rates.output_tokens == 5


def test_a_run_that_is_ended_early_has_a_shorter_window() -> None:
    """Rates are by its real length, and what comes in the drain is not within."""
    plan = plan_of(duration_s=10, warm_up_s=1)
    tally = Tally(plan)
    tally.end_window(3000 * MS)
    tally.end_window(9000 * MS)
    tally.add(answered(1500, 1501, 2000, [100] * 3))
    tally.add(answered(2500, 2501, 2900, [200] * 3))
    result = conclude(plan, tally, environment=NOWHERE, is_stopped=True)
    assert (result.window_s, result.is_stopped) == (2.0, True)
    assert (result.rates.offered, result.rates.completed) == (1.0, 0.5)
    assert result.rates.output_tokens == (4 + 1) / 2


def test_a_run_without_a_window_has_no_rates() -> None:
    """It was ended in the warm-up."""
    plan = plan_of(duration_s=10, warm_up_s=5)
    tally = tally_of(plan, [answered(0, 1, 5, is_measured=False)])
    tally.end_window(2000 * MS)
    result = conclude(plan, tally, environment=NOWHERE, is_stopped=True)
    assert result.window_s == 0
    assert not any(msgspec.structs.astuple(result.rates))
    assert result.metrics == {}
    assert result.ledger is None


def test_endpoints_and_scenarios_are_told_apart() -> None:
    """Each request is in one of each; who was never sent belongs to no endpoint."""
    samples = [
        answered(0, 1, 10, endpoint="one:1"),
        answered(0, 1, 20, endpoint="two:2"),
        answered(0, 1, 30, endpoint="two:2", scenario="read"),
        failed("unsent", 0, 5),
    ]
    result = result_of(plan_of(), samples)
    assert [(each.name, each.counts.scheduled) for each in result.endpoints] == [
        ("one:1", 1),
        ("two:2", 2),
    ]
    assert [(each.name, each.counts.scheduled) for each in result.scenarios] == [
        ("read", 1),
        ("talk", 3),
    ]
    assert result.endpoints[1].metrics["ttft"].mean_s == 0.025
    assert result.endpoints[1].rates.completed == 0.2
    assert result.counts.scheduled == 4


def test_one_scenario_is_not_told_twice() -> None:
    """It would be the whole run again."""
    assert result_of(plan_of(), [answered(0, 1, 10)]).scenarios == ()


def test_secrets_stay_out_of_a_result() -> None:
    """The plan's headers are not what was found."""
    result = result_of(plan_of(), [])
    assert result.plan.target.headers == {}
    assert result.plan.target.endpoints == ("http://one:1",)


def some_samples(seed: int, count: int) -> list[Sample]:
    """All kinds of them, the same for the same seed."""
    chance = random.Random(seed)
    found = []
    for index in range(count):
        due = chance.uniform(0, 12_000)
        place = {
            "endpoint": chance.choice(("one:1", "two:2")),
            "scenario": chance.choice(("talk", "read")),
            "is_measured": due >= 2000,
            "session": index,
            "lag_ns": chance.randrange(MS),
        }
        if chance.random() < 0.2:
            outcome = chance.choice(("unsent", "lost", "http_429", "censored", "cancelled"))
            sent = 0 if outcome == "unsent" else due + 1
            detail = f"{outcome} {chance.randrange(50)}"
            found.append(failed(outcome, due, due + 500, sent=sent, detail=detail, **place))
            continue
        gaps = [chance.uniform(1, 300) for _ in range(chance.randrange(12))]
        spoken = chance.uniform(5, 900)
        times = {
            "is_timed": chance.random() < 0.8,
            "total_ns": round((spoken + sum(gaps)) * MS),
            "load_ns": chance.randrange(300 * MS),
            "prefill_ns": chance.randrange(1, 90 * MS),
            "decode_ns": round(sum(gaps) * MS),
            "prompt_tokens": chance.randrange(1, 500),
        }
        more = chance.randrange(9)
        found.append(
            answered(
                due, due + 2, due + 3 + spoken, gaps, tokens=len(gaps) + more, **times, **place
            )
        )
    return found


PLAN = plan_of("ttft_p95<500ms", "errors<5%", "icl_p99<200ms", warm_up_s=2.0)


def concluded(tally: Tally) -> Result:
    """What it comes to."""
    return conclude(PLAN, tally, environment=NOWHERE)


def test_tallies_of_processes_merge_to_the_same_in_any_order() -> None:
    """And to what one process would have counted, exactly; also by way of another process."""
    samples = some_samples(1, 400)
    whole = tally_of(PLAN, samples)
    expected = concluded(whole)
    parts = [tally_of(PLAN, samples[k::3]).encode() for k in range(3)]
    for order in permutations(parts):
        merged = Tally(PLAN)
        for part in order:
            merged.merge(Tally.decode(PLAN, part))
        assert concluded(merged) == expected
        assert merged.encode() == whole.encode()
    assert expected.counts.scheduled + expected.counts.before == 400
    assert concluded(Tally.decode(PLAN, whole.encode())) == expected


SOME = tuple(some_samples(2, 30))


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(len(SOME))))
def test_the_order_of_requests_does_not_matter(order: list[int]) -> None:
    """Whoever ended first, the same is told."""
    assert tally_of(PLAN, [SOME[index] for index in order]).encode() == ALL


ALL = tally_of(PLAN, SOME).encode()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300), st.integers(0, 2**32))
def test_percentiles_are_those_of_a_sorted_list(times: list[int], seed: int) -> None:
    """By nearest rank, within 1/256; the mean, the least and the greatest are exact."""
    samples = [answered(0, 0.001, 0, first_ns=MS + time) for time in times]
    random.Random(seed).shuffle(samples)
    found = result_of(PLAN, samples).metrics["ttft"]
    true = sorted(MS + time for time in times)
    assert (found.count, found.least_s, found.most_s) == (
        len(true),
        true[0] / 1e9,
        true[-1] / 1e9,
    )
    assert found.mean_s == sum(true) / len(true) / 1e9
    assert sum(count for _, count in found.buckets) == len(true)
    for name, rank in (("p50", -(-len(true) // 2)), ("p90", -(-len(true) * 9 // 10))):
        told = found.percentiles[name]
        if told is not None:
            assert told.value == pytest.approx(true[rank - 1] / 1e9, rel=CLOSE)
    assert found.percentiles["p99"] is None


@pytest.mark.slow
def test_memory_does_not_grow_with_requests() -> None:
    """Ten times as many of the same are in the same buckets; nothing is kept for each."""
    samples = some_samples(3, 1_000)
    few, many = (len(tally_of(PLAN, samples * times).encode()) for times in (1, 10))
    assert many < 1.1 * few


def test_the_counts_so_far_can_be_looked_at() -> None:
    """While a run goes on."""
    tally = tally_of(PLAN, [answered(3000, 3001, 3002)])
    assert tally.counts.ok == 1
    tally.add(answered(3000, 3001, 3002))
    assert tally.counts.ok == 2
