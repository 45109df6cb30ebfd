"""Do readers notice when every stream breaks? 10,000 of them, in memory and in virtual time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

import trio

from benchmarks.figures import Bar
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials import breaks
from benchmarks.trials.asks import Ask, read, readers_of
from benchmarks.trials.lost_sockets import BESIDE, WHAT
from benchmarks.trials.virtual import run_virtual
from triollama import open_engine
from triollama_adapters.cli._readers import Reader
from triollama_adapters.simulator import SimulatorConfig, open_fleet

STREAMS = 10_000

AT_ONCE = 200
"""Streams of one fleet; the next fleet is a new one, with other draws."""

TRIAL = Trial(
    name="lost_simulated",
    rows=(
        TrialRow(
            "lost-simulated",
            f"{STREAMS:,} streams in memory, {WHAT}",
            "noticed",
            "noticed",
            Bar(0),
            BESIDE,
        ),
    ),
    repetitions_max=1,
    run_s=45.0,
    deadline_s=240.0,
    is_timeless=True,
)


def run(seed: int) -> Finding:
    """Break every stream once or twice, one fleet after the other."""
    draws = random.Random(seed)
    readers: list[Reader] = []
    for _ in range(STREAMS // AT_ONCE):
        asks = breaks.draw_asks(draws, AT_ONCE)
        reading = readers_of(asks, breaks.AUTHOR)
        servers = breaks.servers(draws, asks)
        run_virtual(partial(_run, asks, reading, servers), draws.randrange(2**32))
        readers += reading
    return breaks.finding(readers)


async def _run(
    asks: Sequence[Ask], readers: Sequence[Reader], servers: Sequence[SimulatorConfig]
) -> None:
    urls = [f"http://s{place}:11434" for place in range(len(servers))]
    fleet = breaks.endpoints(urls, len(asks))
    async with (
        open_fleet(dict(zip(urls, servers, strict=True))) as simulated,
        open_engine(*fleet, config=breaks.CONFIG, transport=simulated.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        for ask, reader in zip(asks, readers, strict=True):
            nursery.start_soon(read, engine, ask, reader)
