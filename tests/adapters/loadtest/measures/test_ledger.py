"""Where the time of requests goes."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from tests.adapters.loadtest.measures.made import MS, answered, plan_of, result_of

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.result import CLIENT_TERMS, TERMS, LedgerFound
from triollama_adapters.loadtest.sample import Sample

ALONE = Baseline(overhead_ns=4 * MS, rtt_ns=2 * MS, load_ns=5 * MS)


def timed(slot_wait: float, *, load: float = 5, delay: float = 1, **fields: Any) -> Sample:
    """A request with 30 ms of prefill, 100 of decode, 4 of overhead and 2 on the way."""
    total = load + 4 + slot_wait + 30 + 100
    first = delay + 2 + load + 4 + slot_wait + 30
    times = {
        "is_timed": True,
        "total_ns": round(total * MS),
        "load_ns": round(load * MS),
        "prefill_ns": 30 * MS,
        "decode_ns": 100 * MS,
    }
    return answered(0, delay, first, [50, 50], **{**times, **fields})


def ledger_of(samples: list[Sample], baseline: Baseline | None = ALONE) -> LedgerFound:
    """What they come to."""
    found = result_of(plan_of(), samples, baseline).ledger
    assert found is not None
    return found


def test_a_ledger_by_hand() -> None:
    """Ten requests that waited for a slot, ten that did not; each term is what went into it."""
    found = ledger_of([timed(0)] * 10 + [timed(200)] * 10)
    assert found.count == 20
    assert {term: pytest.approx(value) for term, value in found.mean_s.items()} == {
        "start_delay": 0.001,
        "transport": 0.002,
        "load": 0.005,
        "slot_wait": 0.100,
        "overhead": 0.004,
        "prefill": 0.030,
        "decode": 0.100,
    }
    assert (found.is_calibrated, found.is_trusted, found.disagreeing) == (True, True, 0.0)
    assert (found.overhead_s, found.cold, found.reloads, found.note) == (0.004, 0, 0, "")
    assert found.p95_s == {}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 5000), min_size=1, max_size=40), st.none() | st.integers(0, 10**9))
def test_the_terms_add_up_to_the_mean_response_time(
    waits: list[float], overhead: int | None
) -> None:
    """Whatever is taken for the overhead, also one that is larger than what is left over."""
    result = result_of(plan_of(), list(map(timed, waits)), Baseline(overhead_ns=overhead))
    assert result.ledger is not None
    assert list(result.ledger.mean_s) == [each for each in TERMS if each != "engine_line"]
    assert sum(result.ledger.mean_s.values()) == pytest.approx(result.metrics["e2e"].mean_s)
    assert result.ledger.mean_s["slot_wait"] >= 0


def test_the_overhead_is_the_least_residual_where_nobody_measured_it() -> None:
    """And the ledger says so."""
    found = ledger_of([timed(3), timed(203)], None)
    assert (found.is_calibrated, found.overhead_s) == (False, pytest.approx(0.007))
    assert found.mean_s["slot_wait"] == pytest.approx(0.100)


def test_times_that_contradict_each_other_take_nothing_from_the_waits_of_others() -> None:
    """One server's parts are 500 ms more than its total; two others waited for 100 each."""
    wrong = timed(0, decode_ns=604 * MS)
    result = result_of(plan_of(), [timed(100), timed(100), wrong], ALONE)
    assert result.ledger is not None
    found = result.ledger.mean_s
    assert found["slot_wait"] == pytest.approx(0.200 / 3)
    assert found["overhead"] == pytest.approx((4 + 4 - 500) / 3e3)
    assert sum(found.values()) == pytest.approx(result.metrics["e2e"].mean_s)


def test_each_model_has_its_own_overhead() -> None:
    """It depends on the model's template and size."""
    slow = timed(96, model="large")
    result = result_of(plan_of(), [timed(0), slow], ALONE)
    assert result.ledger is not None
    assert result.ledger.mean_s["overhead"] == pytest.approx((0.004 + 0.100) / 2, rel=0.01)
    assert result.ledger.mean_s["slot_wait"] == pytest.approx(0, abs=0.001)
    assert not result.ledger.is_calibrated


def test_percentiles_of_terms() -> None:
    """With enough requests; the wait's is that of what is left over, less the overhead."""
    found = ledger_of([timed(0)] * 90 + [timed(300)] * 10)
    assert found.p95_s["slot_wait"] == pytest.approx(0.300, rel=0.01)
    assert found.p95_s["overhead"] == pytest.approx(0.004, rel=0.01)
    assert found.p95_s["decode"] == 0.100


@pytest.mark.parametrize(
    ("load", "is_absent", "cold", "reloads"),
    [(5, False, 0, 0), (104, False, 0, 0), (106, False, 1, 1), (106, True, 1, 0), (5, True, 1, 0)],
)
def test_cold_starts_and_reloads(load: float, *, is_absent: bool, cold: int, reloads: int) -> None:
    """Cold is a load of 100 ms more than when warm, or a model that was not there."""
    found = ledger_of([timed(0, load=load, is_cold=is_absent)])
    assert (found.cold, found.reloads) == (cold, reloads)


def test_times_that_disagree_with_the_client_are_not_trusted() -> None:
    """A server whose decoding time is half of what the client saw; one such in ten is too many."""
    wrong = timed(0, decode_ns=50 * MS)
    found = ledger_of([timed(0)] * 9 + [wrong])
    assert (found.disagreeing, found.is_trusted) == (0.1, False)
    assert ledger_of([timed(0)] * 19 + [wrong]).is_trusted


def test_a_server_that_took_longer_than_the_client_saw_is_told() -> None:
    """Transport is negative then, and the terms add up all the same."""
    found = ledger_of([timed(0), timed(0, total_ns=200 * MS)])
    assert "1 of 2 requests took less time here than the server says" in found.note
    assert sum(found.mean_s.values()) == pytest.approx(0.142)


def test_without_times_of_the_server_there_are_the_clients() -> None:
    """As on /v1; the ledger says so, and adds up."""
    found = ledger_of([answered(0, 1, 50, [100]), answered(0, 3, 70, [200])], None)
    assert list(found.mean_s) == [each for each in CLIENT_TERMS if each != "engine_line"]
    assert found.mean_s == pytest.approx(
        {"start_delay": 0.002, "until_first": 0.058, "after_first": 0.150}
    )
    assert "no times" in found.note
    assert not found.is_trusted


def by_engine(samples: list[Sample]) -> LedgerFound:
    """Of a run whose endpoints the engine's pool chose."""
    plan = plan_of()
    plan = replace(plan, target=replace(plan.target, routing="engine"))
    found = result_of(plan, samples, ALONE).ledger
    assert found is not None
    return found


def test_the_line_of_the_engine_is_a_term_of_its_own() -> None:
    """It is neither the client's delay nor the way, and all of them add up."""
    sample = timed(0)
    line = 400 * MS
    late = {
        name: getattr(sample, name) + line
        for name in ("sent_ns", "first_ns", "last_ns", "done_ns", "ended_ns")
    }
    waited = replace(sample, queued_ns=sample.sent_ns, **late)
    found = by_engine([waited])
    assert list(found.mean_s) == list(TERMS)
    expected = {**ledger_of([sample]).mean_s, "engine_line": 0.4}
    assert found.mean_s == pytest.approx(expected)
    assert found.is_trusted
    untimed = by_engine([replace(waited, is_timed=False)])
    assert list(untimed.mean_s) == list(CLIENT_TERMS)
    assert untimed.mean_s["engine_line"] == pytest.approx(0.4)


def test_of_an_embedding_by_the_engine_the_line_is_not_known() -> None:
    """The engine does not tell when it was sent; the ledger says where the line is."""
    embedded = timed(0, prefill_ns=0, decode_ns=0, first_ns=0, chunks=0, gaps_ns=[])
    told = "transport holds the engine's own line"
    assert told in by_engine([replace(embedded, queued_ns=embedded.sent_ns)]).note
    assert told not in ledger_of([embedded]).note


def test_answers_without_times_among_others_are_left_out() -> None:
    """One of three endpoints may be behind a gateway that drops them."""
    found = ledger_of([timed(0), answered(0, 1, 50)])
    assert found.count == 1
    assert found.note.startswith("1 answer came without")


def test_an_embedding_tells_no_prefill() -> None:
    """What the server did stands where the wait would; the ledger says so."""
    embedded = timed(0, prefill_ns=0, decode_ns=0, first_ns=0, chunks=0, gaps_ns=[])
    found = ledger_of([embedded])
    assert "embeddings" in found.note
    assert found.is_trusted


def test_a_server_whose_speed_is_another_is_told() -> None:
    """100 tokens in 100 ms as received, and in 50 as the server tells it."""
    assert ledger_of([timed(0, output_tokens=101)] * 20).note == ""
    found = ledger_of([timed(0, output_tokens=101, decode_ns=50 * MS)] * 20)
    assert "1 ms or less per token as received, and 495 µs" in found.note


def test_no_answers_no_ledger() -> None:
    """There is nothing to add up."""
    assert result_of(plan_of(), []).ledger is None
