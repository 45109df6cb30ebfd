"""How much load can one process of the load test make, and still say that it kept up?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.figures import Bar
from benchmarks.load_runs import faults_of, open_server, plan_for
from benchmarks.load_runs import run_unprepared as run_load
from benchmarks.trial import Finding, Trial, TrialRow
from triollama_adapters.loadtest.plan import OpenLoop, Phase
from triollama_adapters.loadtest.result import Result

TOKENS = 16
BAR_PER_S = 1_000.0
"""A little more is offered: what arrives at random is at times a little less than was asked for."""

OFFERED_PER_S, FULL_OFFERED_PER_S = (1_040.0,), (1_040.0, 1_250.0, 1_500.0, 1_750.0, 2_000.0)
"""One after the other, while the load test says VALID."""

SECONDS, FULL_SECONDS = 6.0, 30.0
"""Longer than the time for which a process may be too busy without losing its verdict."""

TRIAL = Trial(
    name="load_rate",
    rows=(
        TrialRow(
            "load-requests",
            f"one process, streamed answers of {TOKENS} tokens from a server that answers at once, "
            "at random times: requests per second with the verdict VALID",
            "rate",
            "requests/s",
            Bar(BAR_PER_S, is_at_least=True),
            (("cpu", "of a core"), ("delay", "ms p99 start delay"), ("each", "µs CPU per request")),
        ),
    ),
    repetitions_max=1,
    run_s=8.0,
    deadline_s=60.0,
    full_s=180.0,
    suite="load",
)


def run(seed: int) -> Finding:
    """Offer what the bar wants."""
    return _run(OFFERED_PER_S, SECONDS, seed)


def run_full(seed: int) -> Finding:
    """Offer more and more."""
    return _run(FULL_OFFERED_PER_S, FULL_SECONDS, seed)


def _run(offered_per_s: Sequence[float], seconds: float, seed: int) -> Finding:
    best: Result | None = None
    faults: list[str] = []
    for rate_per_s in offered_per_s:
        result = _offer(rate_per_s, seconds, seed)
        faults = faults_of([result])
        print(f"{rate_per_s:g}/s: {result.client}", file=sys.stderr)
        if best is None or not faults:
            best = result
        if faults:
            break
    assert best is not None, "there is a rate to offer"
    figures = {
        "rate": best.rates.completed,
        "cpu": best.client.busiest,
        "delay": best.client.start_delay_p99_s * 1e3,
        "each": best.client.cpu_s_per_request * 1e6,
    }
    return Finding(figures, tuple(faults_of([best])))


def _offer(rate_per_s: float, seconds: float, seed: int) -> Result:
    with open_server(0, tokens=TOKENS) as url:
        shape = OpenLoop((Phase(seconds + 1.0, rate_per_s, rate_per_s),))
        plan = plan_for(url, shape, duration_s=seconds, warm_up_s=1.0, tokens=TOKENS, seed=seed)
        return run_load(plan)
