"""What does a chunk cost? Client CPU per chunk at a steady 50 chunks/s per stream."""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import TICK_FINEST_S, Plan
from benchmarks.questions import Comparison, Row

FLOOR = Contender("floor", "chunks")
ENGINE = Contender("engine", "chunks")
COLLECT = Contender("engine", "collect")
OLLAMA = Contender("ollama_async", "chunks")
AIOHTTP = Contender("aiohttp_uvloop", "chunks")

_OF_FLOOR = "x the floor"


def _cpu_us(run: Run) -> float:
    return run.measurement.cpu_us_each


def _ratio(run: Run, other: Run) -> float:
    return _cpu_us(run) / _cpu_us(other)


COMPARISONS = (
    Comparison(
        plan=Plan(streams=200),
        rows=(
            Row(
                "chunk-200",
                "200 streams, a chunk every 20 ms each, reader woken per chunk",
                ENGINE,
                FLOOR,
                _OF_FLOOR,
                Bar(2.2),
                _ratio,
            ),
        ),
        absolute=(_cpu_us, "µs CPU per chunk"),
        onlookers=(OLLAMA,),
        peers=(AIOHTTP,),
    ),
    # The official client is not shown here: it cannot take 50,000 chunks/s in.
    Comparison(
        plan=Plan(streams=1_000),
        rows=(
            Row(
                "chunk-1000",
                "1,000 streams, the same",
                ENGINE,
                FLOOR,
                _OF_FLOOR,
                Bar(1.8),
                _ratio,
            ),
            Row(
                "collect-1000",
                "1,000 streams, collect()",
                COLLECT,
                FLOOR,
                _OF_FLOOR,
                Bar(1.5),
                _ratio,
            ),
        ),
        absolute=(_cpu_us, "µs CPU per chunk"),
        peers=(AIOHTTP,),
    ),
    # The worst case for a client that is woken: no two chunks together, unless it is late itself.
    Comparison(
        plan=Plan(streams=200, tick_s=TICK_FINEST_S),
        rows=(
            Row(
                "apart-200",
                "200 streams, no two chunks sent together",
                ENGINE,
                FLOOR,
                _OF_FLOOR,
                None,
                _ratio,
            ),
        ),
        absolute=(_cpu_us, "µs CPU per chunk"),
        peers=(AIOHTTP,),
        repetitions_max=2,
    ),
)
