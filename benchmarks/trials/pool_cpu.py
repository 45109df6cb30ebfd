"""What does the choice of an endpoint cost? CPU of a lease: ask, first token, release."""

from __future__ import annotations

import math
from collections import deque

import trio

from benchmarks.figures import Bar
from benchmarks.measure import Measurement, Meter
from benchmarks.trial import Finding, Trial, TrialRow
from triollama._config import EndpointConfig
from triollama.actors.pool import Lease, Outcome, Pool
from triollama.actors.pool.messages import Acquire, LoadedModel, ProbeAnswered

ENDPOINTS = 16

MODEL = "llama3.2:latest"

HELD = 48
"""Leases that run at any time: three quarters of what 16 endpoints get before they are known."""

LEASES, WARM_UP = 50_000, 5_000

NOBODY: frozenset[str] = frozenset()

SHARE_MIN = 0.5
"""Each endpoint must get at least this part of an even share, else it was another load."""

TRIAL = Trial(
    name="pool_cpu",
    rows=(
        TrialRow(
            "pool-cpu",
            f"acquire, first token and release in the pool; {ENDPOINTS} endpoints, "
            f"{HELD} leases held",
            "cpu",
            "µs CPU per lease",
            Bar(40),
            (("smallest share", "% of an even share"),),
        ),
    ),
    repetitions_max=3,
)


def run(_seed: int) -> Finding:
    """Measure leases that are granted at once, by a pool that learns the slots of its endpoints."""
    return trio.run(_run)


async def _run() -> Finding:
    fleet = [EndpointConfig(f"http://h{number}:11434") for number in range(ENDPOINTS)]
    pool = Pool(fleet, line_max=100)
    for each in fleet:  # else those that loaded the model first would do all of it
        pool.tell_probe(ProbeAnswered(each.name, loaded=(LoadedModel(MODEL),)))
    held: deque[Lease] = deque()
    _work(pool, held, WARM_UP)
    granted = [each.granted for each in pool.statistics().endpoints]
    measured = _measure(pool, held)
    after = pool.statistics()
    taken = [each.granted - before for each, before in zip(after.endpoints, granted, strict=True)]
    share = min(taken) * ENDPOINTS / LEASES
    faults = []
    if sum(taken) != LEASES or after.refused:
        faults.append(f"{sum(taken)} leases were granted instead of {LEASES}")
    if share < SHARE_MIN:
        faults.append(f"one endpoint got {share:.0%} of its share")
    figures = {"cpu": measured.cpu_us_each, "smallest share": 100 * share}
    return Finding(figures, tuple(faults))


def _measure(pool: Pool, held: deque[Lease]) -> Measurement:
    meter = Meter()
    meter.begin()
    _work(pool, held, LEASES)
    return meter.end(LEASES)


def _work(pool: Pool, held: deque[Lease], count: int) -> None:
    """Take so many leases; each gets its first token at once, and is given back in its turn."""
    for _ in range(count):
        lease = _ask(pool)
        pool.first_token(lease, 0.05)
        held.append(lease)
        if len(held) > HELD:
            pool.release(held.popleft(), Outcome.DONE, slot_wait_s=0.0, service_s=0.5)


def _ask(pool: Pool) -> Lease:
    """A lease that is given at once, asked for with all that a worker says."""
    lease = pool.ask(
        Acquire(
            pool.new_ticket(),
            MODEL,
            math.inf,
            trio.current_time(),
            pool.draw(),
            excluded=NOBODY,
            tried=NOBODY,
            only="",
            priority=0,
            runner=(),
            caller="",
            tags=NOBODY,
            body_bytes=100,
            has_begun=False,
            answer_by_s=math.inf,
        )
    )
    assert lease is not None, "there is room for more than are held"
    return lease
