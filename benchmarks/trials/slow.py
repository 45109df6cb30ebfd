"""One of six servers is ten times as slow: who notices?"""

from __future__ import annotations

import random
from functools import partial

import attrs
import trio

from benchmarks.figures import Bar, percentile
from benchmarks.plan import MODEL
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.virtual import run_virtual
from triollama import Engine, open_engine
from triollama_adapters.simulator import SimulatorConfig, open_fleet

SERVERS = 6

TIMES_SLOWER = 10.0

SERVER = SimulatorConfig(
    num_parallel=4,
    load_s=2.0,
    prefill_tokens_per_s=500.0,
    decode_tokens_per_s=20.0,
    answer_tokens_min=16,
    answer_tokens_max=54,
)
"""A first token takes from 0.1 to 0.6 s, an answer some 2 s."""

SLOW = attrs.evolve(
    SERVER,
    prefill_tokens_per_s=SERVER.prefill_tokens_per_s / TIMES_SLOWER,
    decode_tokens_per_s=SERVER.decode_tokens_per_s / TIMES_SLOWER,
)

REQUESTS_PER_S = 5.0
"""Half of what five servers can do."""

PROMPT_WORDS = (20, 250)

LEARN_S, WATCH_S = 30.0, 360.0
"""From 30 virtual seconds on it is looked at; so long that a hundredth is 18 requests."""

PATIENCE_S = 300.0

DONE_MIN = 0.999

_WHAT = f"1 of {SERVERS} servers {TIMES_SLOWER:g} times as slow"

TRIAL = Trial(
    name="slow",
    rows=(
        TrialRow(
            "slow-p99",
            f"{_WHAT}: p99 of the time to first token, over that of a healthy fleet",
            "ratio",
            "x the healthy p99",
            Bar(2),
            (
                ("p99", "s"),
                ("healthy p99", "s"),
                ("ratio with the first 30 s", "x the healthy p99"),
            ),
        ),
        TrialRow(
            "slow-share",
            f"{_WHAT}: its share of the requests from {LEARN_S:.0f} virtual s on",
            "share",
            "of the grants",
            Bar(0.05),
            (("requests", "requests"),),
        ),
    ),
    repetitions_max=1,
    run_s=15.0,
    deadline_s=240.0,
    is_timeless=True,
)


@attrs.define
class Seen:
    """What became of the requests of one fleet.

    Attributes:
        asked: How many there were.
        first_s: By request that was answered: when it was made, and the time to its first token.
        granted: Requests that the first server got from `LEARN_S` on.
        granted_all: Requests that all servers got since then.
    """

    asked: int = 0
    first_s: list[tuple[float, float]] = attrs.field(factory=list)
    granted: int = 0
    granted_all: int = 0

    def p99_s(self, from_s: float) -> float:
        """The 99th percentile of the times to first token of requests made since a time."""
        return percentile([first_s for at_s, first_s in self.first_s if at_s >= from_s], 0.99)


def run(seed: int) -> Finding:
    """Ask a fleet with a slow server, and one without, the same questions at the same times."""
    slow = run_virtual(partial(_run, SLOW, seed), seed)
    healthy = run_virtual(partial(_run, SERVER, seed), seed)
    figures = {
        "p99": slow.p99_s(LEARN_S),
        "healthy p99": healthy.p99_s(LEARN_S),
        "ratio": slow.p99_s(LEARN_S) / healthy.p99_s(LEARN_S),
        "ratio with the first 30 s": slow.p99_s(0.0) / healthy.p99_s(0.0),
        "share": slow.granted / slow.granted_all,
        "requests": float(slow.asked),
    }
    return Finding(figures, tuple(_faults(slow, healthy)))


def _faults(slow: Seen, healthy: Seen) -> list[str]:
    faults = [
        f"{len(seen.first_s)} of {seen.asked} requests were answered"
        for seen in (slow, healthy)
        if len(seen.first_s) < DONE_MIN * seen.asked
    ]
    if not slow.granted:
        faults.append("the slow server got nothing at all")
    return faults


async def _run(first: SimulatorConfig, seed: int) -> Seen:
    """Ask for as long as it takes; the first server is the one that may be slow."""
    servers = {f"http://s{n}:11434": first if n == 0 else SERVER for n in range(SERVERS)}
    seen, draws = Seen(), random.Random(seed)
    async with (
        open_fleet(servers) as fleet,
        open_engine(*servers, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        await engine.load(MODEL)
        began_s, before = trio.current_time(), [0] * SERVERS
        while trio.current_time() < began_s + LEARN_S + WATCH_S:
            if not any(before) and trio.current_time() >= began_s + LEARN_S:
                before = _granted(engine)
            seen.asked += 1
            words = " ".join(["word"] * draws.randint(*PROMPT_WORDS))
            nursery.start_soon(_ask, engine, seen, began_s, f"Question {seen.asked}: {words}?")
            await trio.sleep(draws.expovariate(REQUESTS_PER_S))
        taken = [now - then for now, then in zip(_granted(engine), before, strict=True)]
        seen.granted, seen.granted_all = taken[0], sum(taken)
    return seen


async def _ask(engine: Engine, seen: Seen, began_s: float, prompt: str) -> None:
    asked_s = trio.current_time()
    with trio.move_on_after(PATIENCE_S):
        async with engine.stream_chat(MODEL, prompt) as stream:
            async for _ in stream:
                seen.first_s.append((asked_s - began_s, trio.current_time() - asked_s))
                break
            await stream.collect()


def _granted(engine: Engine) -> list[int]:
    return [endpoint.granted for endpoint in engine.statistics().endpoints]
