"""How much later than sent does a reader have a chunk? 1,000 streams at 20 chunks/s each.

The server writes the time of its sending into each chunk, just before it sends it; the reader's own
code takes the time as soon as it has the chunk. Both read one clock.
"""

from __future__ import annotations

import math

import attrs

from benchmarks.figures import Bar
from benchmarks.harness import Contender
from benchmarks.plan import Plan
from benchmarks.questions import Absolute, Comparison, Row
from benchmarks.shared import OF_AIOHTTP

ENGINE = Contender("engine", "delays")
AIOHTTP = Contender("aiohttp_uvloop", "delays")


def _delay(name: str) -> Absolute:
    return Absolute(lambda run: run.measurement.figures.get(f"delay_{name}_ms", math.nan), "ms")


def _row(name: str, what: str, bar: Bar | None) -> Row:
    late = Absolute(lambda run: getattr(run.lateness, f"{name}_us") / 1e3, "ms late itself")
    return Row(f"latency-{name}", what, ENGINE, None, "ms", bar, absolute=_delay(name), server=late)


def _beside_aiohttp(name: str, what: str) -> Row:
    row = _row(name, what, Bar(1.0))
    return attrs.evolve(
        row, name=f"{row.name}-peer", against=AIOHTTP, unit=OF_AIOHTTP, load=row.name
    )


COMPARISONS = (
    # The official client is not shown: 20,000 chunks/s are more than it can take in.
    Comparison(
        plan=Plan(streams=1_000, interval_s=0.05, is_stamped=True, window_s=1.2),
        rows=(
            _row("p50", "added latency, 1,000 streams at 20 chunks/s each: half of them", Bar(0.5)),
            _row("p99", "the same: 99 % of them", Bar(3.0)),
            _row("max", "the same: all of them", None),
            _beside_aiohttp("p50", "the same: half of them, beside the best peer"),
            _beside_aiohttp("p99", "the same: 99 % of them, beside the best peer"),
        ),
        absolute=attrs.evolve(_delay("p99"), unit="ms, 99th percentile"),
        onlookers=(Contender("floor", "delays"),),
    ),
)
