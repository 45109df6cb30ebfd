"""Do readers notice when every stream breaks? 2,000 at once, on sockets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AsyncExitStack

import trio

from benchmarks.figures import Bar
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials import breaks
from benchmarks.trials.asks import Ask, read, readers_of
from triollama import open_engine
from triollama_adapters.cli._readers import Reader
from triollama_adapters.simulator import SimulatorConfig, open_simulators

STREAMS = 2_000

BESIDE = (
    ("lost", "characters lost"),
    ("doubled", "characters doubled"),
    ("failed", "streams failed"),
    ("characters", "characters in all"),
    ("breaks", "breaks"),
    ("inside", "streams that broke inside their text"),
)

WHAT = "each broken at a random point, one healthy server: characters lost and doubled, failures"

TRIAL = Trial(
    name="lost_sockets",
    rows=(
        TrialRow(
            "lost-sockets",
            f"{STREAMS:,} streams on sockets, {WHAT}",
            "noticed",
            "noticed",
            Bar(0),
            BESIDE,
        ),
    ),
    repetitions_max=1,
    run_s=15.0,
    deadline_s=120.0,
    is_timeless=True,
)


def run(seed: int) -> Finding:
    """Break every stream once or twice."""
    draws = random.Random(seed)
    asks = breaks.draw_asks(draws, STREAMS)
    readers = readers_of(asks, breaks.AUTHOR)
    trio.run(_run, asks, readers, breaks.servers(draws, asks))
    return breaks.finding(readers)


async def _run(
    asks: Sequence[Ask], readers: Sequence[Reader], servers: Sequence[SimulatorConfig]
) -> None:
    async with AsyncExitStack() as stack:
        urls = [
            url
            for config in servers
            for url in await stack.enter_async_context(open_simulators(1, config))
        ]
        fleet = breaks.endpoints(urls, len(asks))
        async with (
            open_engine(*fleet, config=breaks.CONFIG) as engine,
            trio.open_nursery() as nursery,
        ):
            for ask, reader in zip(asks, readers, strict=True):
                nursery.start_soon(read, engine, ask, reader)
