"""How many streams can one process of the load test hold, and still say that it kept up?"""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.load_runs import faults_of, open_server, plan_for
from benchmarks.load_runs import run_unprepared as run_load
from benchmarks.measure import rss_bytes_max
from benchmarks.trial import Finding, Trial, TrialRow
from triollama_adapters.loadtest.plan import ClosedLoop

STREAMS = 5_050
"""Users; some are between two answers."""

HELD = 5_000
INTERVAL_S = 0.2
TOKENS, FULL_TOKENS = 30, 150
"""The more, the fewer begin while the others go on."""

MIB = 2**20

TRIAL = Trial(
    name="load_streams",
    rows=(
        TrialRow(
            "load-streams",
            f"one process, streams of {1 / INTERVAL_S:.0f} chunks/s each: how many are open at "
            "once, with the verdict VALID",
            "open",
            "streams",
            Bar(HELD, is_at_least=True),
            (
                ("cpu", "of a core"),
                ("delay", "ms p99 start delay"),
                ("bound", "ms is the bound of its times"),
                ("memory", "MiB"),
            ),
        ),
    ),
    repetitions_max=1,
    run_s=12.0,
    deadline_s=90.0,
    full_s=90.0,
    suite="load",
)


def run(seed: int) -> Finding:
    """Hold them for a while."""
    return _run(TOKENS, 3.0, seed)


def run_full(seed: int) -> Finding:
    """Hold them for longer."""
    return _run(FULL_TOKENS, 45.0, seed)


def _run(tokens: int, seconds: float, seed: int) -> Finding:
    life_s = tokens * INTERVAL_S
    with open_server(STREAMS, tokens=tokens, interval_s=INTERVAL_S) as url:
        # All through the ramp others begin, and after it they end as they began: evenly.
        shape = ClosedLoop(STREAMS, ramp_s=life_s)
        plan = plan_for(
            url,
            shape,
            duration_s=seconds,
            warm_up_s=life_s + 0.5,
            drain_s=1.0,
            tokens=tokens,
            seed=seed,
        )
        result = run_load(plan)
    begin_s, end_s = plan.warm_up_s, plan.warm_up_s + seconds
    held = [each.in_flight for each in result.moments if begin_s <= each.at_s < end_s]
    figures = {
        "open": float(min(held, default=0)),
        "cpu": result.client.busiest,
        "delay": result.client.start_delay_p99_s * 1e3,
        "bound": result.client.timing_error_s * 1e3,
        "memory": rss_bytes_max() / MIB,
    }
    return Finding(figures, tuple(faults_of([result])))
