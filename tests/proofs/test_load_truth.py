"""What a load test says, held against the log of the server that it loaded."""

from __future__ import annotations

import pytest
from benchmarks.load_runs import SIMULATED, Proof, prove
from benchmarks.load_truth import worst


def _told(proof: Proof) -> str:
    """What is wrong, for who has to find out why."""
    wrong = [str(each) for each in (*proof.figures, *proof.ledger) if each.limits > 1]
    return "; ".join([proof.result.client.validity, *wrong])


@pytest.mark.slow
async def test_a_small_load_is_told_truly() -> None:
    """Every percentile is as wrong as the load test itself says at most, and the ledger is right.

    The bound that it states takes the place of a millisecond: other tests run beside this one.
    """
    proof = await prove(20, seconds=1.5)
    counts = proof.result.counts
    assert counts.scheduled == counts.ok == len(proof.pairs) > 10
    bound_s = proof.result.client.timing_error_s
    for each in proof.figures:
        assert abs(each.error_s) <= each.limit_s + 2 * bound_s, each
    assert {each.name for each in proof.ledger} == {"load", "slot_wait", "prefill", "decode"}
    for each in proof.ledger:
        assert abs(each.error_s) <= each.limit_s + 2 * bound_s, each
    slot_wait = next(each for each in proof.ledger if each.name == "slot_wait")
    assert slot_wait.true_s > 0.05, "there are fewer slots than users"


@pytest.mark.nightly
@pytest.mark.parametrize("users", [100, 500, 1_000])
async def test_percentiles_and_ledger_are_true(users: int) -> None:
    """Every percentile within 1 ms or 1 %, each term of the ledger within 2 %."""
    proof = await prove(users, seconds=20.0, config=SIMULATED)
    assert len(proof.pairs) == proof.result.counts.ok > 5 * users
    assert worst(proof.figures).limits <= 1, _told(proof)
    assert worst(proof.ledger).limits <= 1, _told(proof)
