"""Does an open loop have the rate and the randomness that it claims, at any number of processes?"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Literal, TypeAlias

from benchmarks.figures import Bar
from benchmarks.load_runs import Kept, faults_of, open_server, plan_for
from benchmarks.load_runs import run_unprepared as run_load
from benchmarks.trial import Finding, Trial, TrialRow
from triollama_adapters.loadtest.arrivals.dispersion import look_at
from triollama_adapters.loadtest.plan import OpenLoop, Phase, Plan
from triollama_adapters.loadtest.workload.making import make_sessions

MINUTES_10_S = 600.0
RATE_PER_S = 50.0
PROCESSES = (1, 2, 8)

Arrivals: TypeAlias = Literal["poisson", "constant"]
ARRIVALS: tuple[Arrivals, ...] = ("poisson", "constant")

TRIAL = Trial(
    name="load_arrivals",
    rows=(
        TrialRow(
            "load-arrivals-rate",
            f"an open loop of {RATE_PER_S:g} requests/s over ten minutes, 1, 2 and 8 processes: "
            "by how much its rate is wrong, as it is made (with --full also as it is sent)",
            "rate",
            "%",
            Bar(0.1),
        ),
        TrialRow(
            "load-arrivals-dispersion",
            "the same, Poisson: how far its index of dispersion in windows of 1 s is from 1",
            "dispersion",
            "from 1",
            Bar(0.1),
            (("constant", "is the coefficient of variation of constant arrivals"),),
        ),
    ),
    repetitions_max=1,
    run_s=8.0,
    deadline_s=90.0,
    is_timeless=True,
    full_s=620.0,
    suite="load",
)


def run(seed: int) -> Finding:
    """Look at the schedules."""
    return Finding(_schedules(seed))


def run_full(seed: int) -> Finding:
    """Look at the schedules, and send one of them in real time."""
    with open_server(0, tokens=1) as url:
        kept = Kept()
        result = run_load(_plan("poisson", 1, seed, url), kept)
    sent_ns = sorted(each.sent_ns for each in kept.samples if each.sent_ns)
    arrived = look_at(sent_ns, MINUTES_10_S)
    assert arrived.dispersion is not None, "there are ten minutes of windows"
    figures = _schedules(seed)
    figures["rate"] = max(figures["rate"], 100 * abs(arrived.rate_per_s / RATE_PER_S - 1))
    figures["dispersion"] = max(figures["dispersion"], abs(arrived.dispersion - 1))
    return Finding(figures, tuple(faults_of([result])))


def _plan(arrivals: Arrivals, processes: int, seed: int, url: str = "http://nowhere:1") -> Plan:
    phases = (Phase(MINUTES_10_S, RATE_PER_S, RATE_PER_S),)
    shape = OpenLoop(phases, arrivals)
    plan = plan_for(url, shape, duration_s=MINUTES_10_S, tokens=1, seed=seed)
    return Plan(plan.target, plan.workload, shape, MINUTES_10_S, seed=seed, processes=processes)


def _times_ns(plan: Plan, process: int) -> Iterator[int]:
    for session in make_sessions(plan, process=process):
        assert session.at_ns is not None, "an open loop has times"
        yield session.at_ns


def _schedules(seed: int) -> dict[str, float]:
    """The worst of all numbers of processes, as their schedules together are."""
    rates, dispersions, variations = [], [], []
    for count in PROCESSES:
        for arrivals in ARRIVALS:
            plan = _plan(arrivals, count, seed)
            merged = heapq.merge(*(_times_ns(plan, process) for process in range(count)))
            arrived = look_at(merged, MINUTES_10_S)
            rates.append(100 * abs(arrived.rate_per_s / RATE_PER_S - 1))
            assert arrived.dispersion is not None, "there are ten minutes of windows"
            assert arrived.variation is not None, "there are many gaps"
            if arrivals == "poisson":
                dispersions.append(abs(arrived.dispersion - 1))
            else:
                variations.append(arrived.variation)
    return {"rate": max(rates), "dispersion": max(dispersions), "constant": max(variations)}
