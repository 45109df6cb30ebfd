"""What do rate limits cost? CPU of a reservation and its settling, with limits of all scopes."""

from __future__ import annotations

import trio

from benchmarks.figures import Bar
from benchmarks.measure import Meter
from benchmarks.trial import Finding, Trial, TrialRow
from triollama._config import RateLimit
from triollama.actors.facts import FactHub
from triollama.actors.limits import Limiter

SCOPES = ("engine", "endpoint", "model", "caller")

CALLERS, MODELS, ENDPOINTS = 100, 4, 16

REQUESTS, WARM_UP = 50_000, 5_000

RESERVED, REAL = 600, 350
"""Tokens of a request as they are guessed and as they turn out, so that each gives some back."""

TRIAL = Trial(
    name="limiter_cpu",
    rows=(
        TrialRow(
            "limiter-cpu",
            f"reserve and settle under limits of four scopes; {CALLERS} callers, {MODELS} models, "
            f"{ENDPOINTS} endpoints",
            "cpu",
            "µs CPU per request",
            Bar(15),
        ),
    ),
    repetitions_max=3,
)


def run(_seed: int) -> Finding:
    """Measure requests that all limits let through at once."""
    return trio.run(_run)


async def _run() -> Finding:
    # High enough that nobody waits: a wait would be measured as a switch of tasks.
    limits = [RateLimit(each, requests_per_s=1e6, tokens_per_min=1e11) for each in SCOPES]
    limiter = Limiter(limits, facts=FactHub())
    meter = Meter()
    _work(limiter, WARM_UP)
    meter.begin()
    _work(limiter, REQUESTS)
    measured = meter.end(REQUESTS)
    return Finding({"cpu": measured.cpu_us_each}, tuple(_faults(limiter)))


def _work(limiter: Limiter, count: int) -> None:
    for number in range(count):
        caller, model = f"caller {number % CALLERS}", f"model {number % MODELS}"
        reservation = limiter.ask(model, caller, RESERVED)
        limiter.reserve_endpoint(f"h{number % ENDPOINTS}", RESERVED, reservation)
        limiter.settle(reservation, REAL)


def _faults(limiter: Limiter) -> list[str]:
    """What shows that not every request passed the limits of all four scopes at once."""
    numbers, faults = limiter.statistics(), []
    if numbers.delayed or numbers.granted != WARM_UP + REQUESTS:
        faults.append(f"{numbers.granted} requests were granted, {numbers.delayed} had to wait")
    gates = {each.scope: each.gates for each in numbers.limits}
    wanted = dict(zip(SCOPES, (1, ENDPOINTS, MODELS, CALLERS), strict=True))
    if gates != wanted:
        faults.append(f"there were limits for {gates} instead of {wanted}")
    return faults
