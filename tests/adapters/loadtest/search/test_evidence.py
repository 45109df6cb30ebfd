"""What requests say about a limit, counted once each."""

import pytest
from tests.adapters.loadtest.measures.made import answered, failed, plan_of, result_of

from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.evidence import evidence_of, weigh

TTFT = Objective("ttft", 0.95, 0.8, "ttft_p95<800ms")
E2E = Objective("e2e", 0.95, 0.8, "e2e_p95<800ms")
ICL = Objective("icl", 0.95, 0.1, "icl_p95<100ms")


def broken(count: int) -> list[Sample]:
    """Requests that lost their connection after a first token in time, at 60 ms."""
    return [
        failed("lost", 5, 90, sent=6, first_ns=60_000_000, chunks=2, gaps_ns=[9], gap_max_ns=9)
    ] * count


def test_a_request_that_failed_is_counted_once() -> None:
    """A first token in time is in time, whatever came after; without one it never came."""
    samples = [answered(5, 6, 60)] * 80 + broken(15) + [failed("http_5xx", 5, 20, sent=6)] * 5
    result = result_of(plan_of(), samples)
    found = evidence_of(result, TTFT)
    assert found is not None
    assert (found.slow, found.count) == (5, 100)
    found = evidence_of(result, E2E)
    assert found is not None
    assert (found.slow, found.count) == (20, 100), "none of them had an end"


def test_chunks_count_for_no_more_than_their_answers() -> None:
    """A hundred answers of fifty chunks."""
    result = result_of(plan_of(), [answered(5, 6, 60, [20] * 50)] * 100)
    found = evidence_of(result, ICL)
    assert found is not None
    assert (found.slow, found.count) == (0, 5_000)
    assert found.effective == pytest.approx(100)
    met, why = weigh(ICL, [found])
    assert met == "met"
    assert "of 5,000 times between chunks" in why


def test_nothing_measured_is_no_evidence() -> None:
    """An empty run."""
    assert evidence_of(result_of(plan_of(), []), TTFT) is None
