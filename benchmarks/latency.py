"""How much later than sent does a reader have a chunk? 1,000 streams at 20 chunks/s each.

The server writes the time of its sending into each chunk, just before it sends it; the reader's own
code takes the time as soon as it has the chunk. Both read one clock.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import Plan
from benchmarks.questions import Comparison, Row

ENGINE = Contender("engine", "delays")
AIOHTTP = Contender("aiohttp_uvloop", "delays")

_OF_AIOHTTP = "x aiohttp + uvloop + msgspec"


def _delay_ms(name: str) -> Callable[[Run], float]:
    return lambda run: run.measurement.figures[f"delay_{name}_ms"]


def _row(name: str, what: str, bar: Bar | None) -> Row:
    delay_ms = _delay_ms(name)
    shown = (delay_ms, "ms")
    return Row(
        f"latency-{name}",
        what,
        ENGINE,
        None,
        "ms",
        bar,
        lambda run, _: delay_ms(run),
        absolute=shown,
    )


def _beside_aiohttp(name: str, what: str) -> Row:
    delay_ms = _delay_ms(name)

    def ratio(run: Run, other: Run) -> float:
        return delay_ms(run) / delay_ms(other)

    return Row(
        f"latency-{name}-peer",
        what,
        ENGINE,
        AIOHTTP,
        _OF_AIOHTTP,
        Bar(1.0),
        ratio,
        absolute=(delay_ms, "ms"),
    )


COMPARISONS = (
    # The official client is not shown: 20,000 chunks/s are more than it can take in.
    Comparison(
        plan=Plan(streams=1_000, interval_s=0.05, is_stamped=True, window_s=1.5),
        rows=(
            _row("p50", "added latency, 1,000 streams at 20 chunks/s each: half of them", Bar(0.5)),
            _row("p99", "the same: 99 % of them", Bar(3.0)),
            _row("max", "the same: all of them", None),
            _beside_aiohttp("p50", "the same: half of them, beside the best peer"),
            _beside_aiohttp("p99", "the same: 99 % of them, beside the best peer"),
        ),
        absolute=(_delay_ms("p99"), "ms, 99th percentile"),
        onlookers=(Contender("floor", "delays"),),
    ),
)
