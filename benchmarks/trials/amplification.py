"""How much is sent to servers that all fail? Attempts per request."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import attrs
import httpx
import trio

from benchmarks.figures import Bar
from benchmarks.plan import MODEL
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.virtual import run_virtual
from triollama import Engine, TriollamaError, open_engine
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig, open_fleet
from triollama_adapters.simulator.faults import INFERENCE_ROUTES

REQUESTS = 10_000

REQUESTS_PER_S = 50.0

LEARN_S = 30.0
"""Until then the engine finds out that none of them works, in virtual seconds; then it is looked
at."""

FLOOR, FLOOR_S = 3, 10.0
"""Attempts that the engine may make again in so many seconds, however few requests there are. What
it gets when no new requests come is not counted; nor, of all attempts, what it began with."""

FAILURES = {
    "http://down:11434": Fault(kind="refuse"),
    "http://resets:11434": Fault(kind="reset"),
    "http://ill:11434": Fault(kind="status", status=500),
    "http://broken:11434": Fault(kind="truncated_chunk"),
}
"""What each server does to every request for an answer; probes are answered well, but by the first,
which is not there at all."""

TRIAL = Trial(
    name="amplification",
    rows=(
        TrialRow(
            "amplification",
            f"all {len(FAILURES)} servers fail, {REQUESTS:,} requests: attempts per request from "
            f"{LEARN_S:.0f} virtual s on, beyond {FLOOR} per {FLOOR_S:.0f} s without requests",
            "attempts",
            "attempts per request",
            Bar(1.2),
            (
                ("with the first 30 s", "attempts per request"),
                ("waited", "s to the failure, the longest"),
                ("sent", "attempts"),
            ),
        ),
    ),
    repetitions_max=1,
    run_s=20.0,
    deadline_s=240.0,
    is_timeless=True,
)


class Counting(httpx.AsyncBaseTransport):
    """Counts the attempts by server, whatever becomes of them."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.attempts: Counter[str] = Counter()
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Count a request for an answer, and pass it on."""
        if request.url.path in INFERENCE_ROUTES:
            self.attempts[request.url.host] += 1
        return await self._transport.handle_async_request(request)


@attrs.define
class Seen:
    """What became of the requests.

    Attributes:
        failed: How many failed, by the kind of error.
        waited_s: The longest that one took, in virtual seconds.
    """

    failed: Counter[str] = attrs.field(factory=Counter)
    waited_s: float = 0.0


def run(seed: int) -> Finding:
    """Ask servers that all fail."""
    return run_virtual(partial(_run, seed), seed)


async def _run(seed: int) -> Finding:
    servers = {
        url: SimulatorConfig(faults=(FaultRule(fault=fault),)) for url, fault in FAILURES.items()
    }
    seen, draws = Seen(), random.Random(seed)
    learnt = None
    async with open_fleet(servers) as fleet:
        fleet.kill(next(iter(servers)))
        transport = Counting(fleet.transport())
        async with (
            open_engine(*servers, transport=transport) as engine,
            trio.open_nursery() as nursery,
        ):
            for number in range(REQUESTS):
                if learnt is None and trio.current_time() >= LEARN_S:
                    learnt = (number, transport.attempts.total())
                nursery.start_soon(_ask, engine, seen, number)
                await trio.sleep(draws.expovariate(REQUESTS_PER_S))
            asked_s = trio.current_time()
        quiet_s = trio.current_time() - asked_s
    assert learnt is not None, "there are more requests than that"
    sent, floor = transport.attempts.total(), FLOOR * quiet_s / FLOOR_S
    figures = {
        "attempts": (sent - learnt[1] - floor) / (REQUESTS - learnt[0]),
        "with the first 30 s": (sent - FLOOR - floor) / REQUESTS,
        "sent": float(sent),
        "waited": seen.waited_s,
    }
    return Finding(figures, tuple(_faults(seen, transport.attempts)))


async def _ask(engine: Engine, seen: Seen, number: int) -> None:
    began_s = trio.current_time()
    try:
        await engine.chat(MODEL, f"Question {number}: is anybody there?")
    except TriollamaError as error:
        seen.failed[type(error).__name__] += 1
    seen.waited_s = max(seen.waited_s, trio.current_time() - began_s)


def _faults(seen: Seen, attempts: Counter[str]) -> list[str]:
    faults = []
    failed = seen.failed["FleetUnavailableError"]
    if failed != REQUESTS:
        faults.append(f"{failed} of {REQUESTS} requests failed because all servers do: {seen}")
    if len(attempts) < len(FAILURES):
        faults.append(f"only these servers were tried: {dict(attempts)}")
    return faults
