"""Is what a load test says true? Against a simulated server that logs what it really did."""

from __future__ import annotations

import sys

import trio

from benchmarks.figures import Bar
from benchmarks.load_runs import Proof, faults_of, prove
from benchmarks.load_truth import worst
from benchmarks.trial import Finding, Trial, TrialRow

USERS = (100, 500, 1_000)
"""Of closed loops, one after the other."""

SECONDS, FULL_SECONDS = 5.0, 30.0
"""Of a window."""

_WHAT = "100, 500 and 1,000 streams of a simulated server"

TRIAL = Trial(
    name="load_truth",
    rows=(
        TrialRow(
            "load-truth",
            f"{_WHAT}: the percentile of TTFT, ICL, TPOT or E2E that is the furthest from what the "
            "server's own log says, in limits of 1 ms or 1 %, whichever is more",
            "worst",
            "limits",
            Bar(1.0),
            (
                ("ttft p50", "ms off"),
                ("ttft p99", "ms off"),
                ("icl p50", "ms off"),
                ("icl p99", "ms off"),
                ("percentiles", "percentiles compared"),
                ("requests", "requests"),
            ),
        ),
        TrialRow(
            "load-ledger",
            "the same: the mean of load, wait for a slot, prefill or decode that is the furthest, "
            "in limits of 2 % or 0.5 ms",
            "ledger",
            "limits",
            Bar(1.0),
            (("slot_wait", "ms off"), ("prefill", "ms off"), ("decode", "ms off")),
        ),
    ),
    repetitions_max=3,  # of which the median: a machine that stalls one of them decides nothing
    run_s=45.0,
    deadline_s=120.0,
    full_s=150.0,
    suite="load",
)


def run(seed: int) -> Finding:
    """Prove it."""
    return _run(SECONDS, seed)


def run_full(seed: int) -> Finding:
    """Prove it with more requests."""
    return _run(FULL_SECONDS, seed)


def _run(seconds: float, seed: int) -> Finding:
    proofs = [trio.run(_prove, each, seconds, seed) for each in USERS]
    figures = [each for proof in proofs for each in proof.figures]
    ledger = [each for proof in proofs for each in proof.ledger]
    for each in (*figures, *ledger):
        print(each, file=sys.stderr)
    found = {
        "worst": worst(figures).limits,
        "ledger": worst(ledger).limits,
        "percentiles": float(len(figures)),
        "requests": float(sum(len(proof.pairs) for proof in proofs)),
    }
    for each in (*figures, *ledger):  # of several runs, the greater
        found[each.name] = max(found.get(each.name, 0.0), abs(each.error_s) * 1e3)
    return Finding(found, tuple(faults_of(proof.result for proof in proofs)))


async def _prove(users: int, seconds: float, seed: int) -> Proof:
    return await prove(users, seconds=seconds, seed=seed)
