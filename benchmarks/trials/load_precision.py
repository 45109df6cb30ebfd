"""How exactly does a load test tell times under load? A server that keeps its own schedule."""

from __future__ import annotations

from benchmarks.clients.rows import open_folder
from benchmarks.figures import Bar
from benchmarks.load_runs import PROMPTS, Kept, faults_of, find_truth, open_server, plan_for
from benchmarks.load_runs import run_unprepared as run_load
from benchmarks.load_tools.inputs import write_prompts
from benchmarks.load_truth import deviations
from benchmarks.trial import Finding, Trial, TrialRow
from triollama_adapters.loadtest.plan import OpenLoop, Phase

STREAMS = 1_000
INTERVAL_S = 0.05
TOKENS = 80
PLACES = 1_200
"""Of the server: when it is late, a few more are open."""

WARM_UP_S = 4.5
"""Until all streams are open, and a little more."""

SECONDS, FULL_SECONDS = 3.0, 60.0

FIGURES = ("ttft p50", "ttft p99", "icl p50", "icl p99")

TRIAL = Trial(
    name="load_precision",
    rows=(
        TrialRow(
            "load-error",
            f"{STREAMS:,} streams, {1 / INTERVAL_S:.0f} chunks/s each, of a server that logs when "
            "it sends: the greatest error of p50 and p99 of TTFT and ICL",
            "worst",
            "ms",
            Bar(1.0),
            (
                *((name, "ms off") for name in FIGURES),
                ("bound", "ms is the bound that the load test states"),
                ("cpu", "of a core"),
            ),
        ),
    ),
    repetitions_max=3,  # of which the median, as in load_truth
    run_s=12.0,
    deadline_s=60.0,
    full_s=70.0,
    suite="load",
)


def run(seed: int) -> Finding:
    """Look at it for a few seconds."""
    return _run(SECONDS, seed)


def run_full(seed: int) -> Finding:
    """Look at it for a minute."""
    return _run(FULL_SECONDS, seed)


def _run(seconds: float, seed: int) -> Finding:
    with open_folder() as folder:
        truth, prompts = folder / "truth.jsonl", folder / "prompts.jsonl"
        write_prompts(prompts, PROMPTS)
        kept = Kept()
        with open_server(PLACES, tokens=TOKENS, interval_s=INTERVAL_S, truth=truth) as url:
            rate_per_s = STREAMS / (TOKENS * INTERVAL_S)
            shape = OpenLoop((Phase(seconds + WARM_UP_S, rate_per_s, rate_per_s),), "constant")
            plan = plan_for(
                url, shape, prompts=prompts, duration_s=seconds, warm_up_s=WARM_UP_S, seed=seed
            )
            result = run_load(plan, kept)
        pairs = find_truth(plan, kept.samples, truth)
    errors_ms = {
        each.name: abs(each.error_s) * 1e3
        for each in deviations(result.metrics, pairs)
        if each.name in FIGURES
    }
    figures = {
        **errors_ms,
        "worst": max(errors_ms.values()),
        "bound": result.client.timing_error_s * 1e3,
        "cpu": result.client.busiest,
    }
    return Finding(figures, tuple(faults_of([result])))
