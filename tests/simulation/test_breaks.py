"""Every stream is broken, once on each server that it comes to: no reader notices.

The other suite draws what happens; this one sees to it that it happens to everybody, so that the
figure of the continuation (characters lost, doubled, streams failed) stands on thousands of breaks.
"""

from __future__ import annotations

import random
from concurrent.futures import Executor

import attrs
import pytest
from tests.simulation.asks import Ask, Reading, draw_ask
from tests.simulation.report import Tally
from tests.simulation.run import run_seeds
from tests.simulation.scenario import Scenario, draw
from tests.simulation.strikes import Strike
from tests.simulation.test_seeds import SHARE, check

from triollama import EngineConfig
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig

STREAMS = 20
"""Of one scenario."""

SERVERS = 3
FIRST_SEED = 1_000_000
"""So that these are no seeds of the other suite."""

BREAKS = ("reset", "truncated_chunk", "half_close", "garbage_line", "error_line", "stall")


def breaking(seed: int) -> Scenario:
    """A fleet of healthy servers, each of which breaks each answer the first time."""
    rng = random.Random(seed)
    author = SimulatorConfig(
        seed=seed,
        num_parallel=8,
        load_s=0.1,
        decode_tokens_per_s=20.0,
        answer_tokens_min=3,
        answer_tokens_max=30,
    )
    plan = attrs.evolve(
        draw(seed).servers[0], config=author, max_in_flight=8, num_parallel=None, weight=1.0
    )
    servers = tuple(attrs.evolve(plan, url=f"http://s{n}:11434") for n in range(SERVERS))
    asks = tuple(_spliceable(rng, number) for number in range(1, STREAMS + 1))
    return Scenario(
        seed=seed,
        servers=servers,
        config=EngineConfig(first_token_s=5.0, stall_s=2.0, attempts_max=2 * SERVERS),
        asks=asks,
        strikes=tuple(
            Strike(at_s=0.0, kind="faults", url=server.url, rules=_breaks(rng, asks))
            for server in servers
        ),
        split_seed=None,
        spared=servers[0].url,
    )


def _spliceable(rng: random.Random, number: int) -> Ask:
    """A stream that can go on wherever it breaks in its text."""
    while True:
        ask = draw_ask(rng, number, rng.uniform(0.1, 5.0))
        if ask.route != "embed" and not (ask.thinks or {"format", "tools"} & ask.fields.keys()):
            return attrs.evolve(
                ask,
                reading=rng.choice([Reading.EACH, Reading.SLOWLY, Reading.COLLECTED]),
                on_break="continue",
                deadline_s=None,
                patience_s=None,
            )


def _breaks(rng: random.Random, asks: tuple[Ask, ...]) -> tuple[FaultRule, ...]:
    """A rule for each stream, by its prompt, that acts once."""
    return tuple(
        FaultRule(
            fault=Fault(kind=rng.choice(BREAKS), after_tokens=rng.randint(0, 20)),
            prompt=f"question {ask.number} ",
            nth=(1,),
        )
        for ask in asks
    )


@pytest.mark.slow
def test_no_reader_notices_a_break(
    broken_streams: int, workers: Executor | None, tally: Tally
) -> None:
    """Of so many streams, all are whole: no character is lost, none comes twice, none fails."""
    last = FIRST_SEED + broken_streams // STREAMS
    shares = [range(at, min(at + SHARE, last)) for at in range(FIRST_SEED, last, SHARE)]
    run = workers.map if workers is not None else map
    reports = [
        report for share in run(run_seeds, shares, [breaking] * len(shares)) for report in share
    ]
    check(reports, tally)
    done = sum(report.outcomes["done"] for report in reports)
    again = sum(report.ways.total() - report.ways["resend"] for report in reports)
    assert done == broken_streams
    assert again > broken_streams / 2, "most breaks come after the first token"
