"""What does a chunk cost? Client CPU per chunk at a steady 50 chunks/s per stream.

A client that cannot take in 50 chunks/s of each stream falls behind. What waits for it in the
sockets it then reads many chunks at a time, which costs it less per chunk and its readers the wait;
its figure is of what it took in, and the table says that its core was full.
"""

from __future__ import annotations

from functools import partial

from benchmarks.figures import Bar
from benchmarks.harness import Contender
from benchmarks.plan import TICK_FINEST_S, Plan
from benchmarks.questions import Comparison, Row
from benchmarks.shared import CPU_US, OF_AIOHTTP, slow_peers

FLOOR = Contender("floor", "chunks")
ENGINE = Contender("engine", "chunks")
COLLECT = Contender("engine", "collect")
OLLAMA = Contender("ollama_async", "chunks")
AIOHTTP = Contender("aiohttp_uvloop", "chunks")
AIOHTTP_COLLECT = Contender("aiohttp_uvloop", "collect")
OF_FLOOR = "x the floor"
OF_OLLAMA = "x the official client"

SETTLE_S, WINDOW_S = 0.3, 0.9
"""Short, since a stream is alike from beginning to end: rather more repetitions than long ones."""


_against_peer = partial(Row, may_lag=True)
_the_same = partial(_against_peer, beside=())


def _plan(streams: int, *, deadline_s: float = 12.0) -> Plan:
    return Plan(streams=streams, settle_s=SETTLE_S, window_s=WINDOW_S, deadline_s=deadline_s)


COMPARISONS = (
    Comparison(
        plan=_plan(100),
        rows=(
            _against_peer(
                "chunk-100-ollama",
                "100 streams, a chunk every 20 ms each, reader woken per chunk",
                ENGINE,
                OLLAMA,
                OF_OLLAMA,
                Bar(1 / 8),
                load="chunk-100",
            ),
            _the_same("chunk-100-peer", "the same", ENGINE, AIOHTTP, OF_AIOHTTP, Bar(0.95)),
        ),
        absolute=CPU_US,
        onlookers=slow_peers("chunks"),
        onlooker_repetitions=1,
        is_paired=True,
    ),
    Comparison(
        plan=_plan(200),
        rows=(
            Row("chunk-200", "200 streams, the same", ENGINE, FLOOR, OF_FLOOR, Bar(2.2)),
            _the_same("chunk-200-ollama", "the same", ENGINE, OLLAMA, OF_OLLAMA, Bar(1 / 8)),
            _the_same("chunk-200-peer", "the same", ENGINE, AIOHTTP, OF_AIOHTTP, Bar(0.95)),
        ),
        absolute=CPU_US,
        peers=slow_peers("chunks"),
        is_paired=True,
    ),
    Comparison(
        plan=_plan(1_000, deadline_s=20.0),
        rows=(
            Row("chunk-1000", "1,000 streams, the same", ENGINE, FLOOR, OF_FLOOR, Bar(1.8)),
            _the_same("chunk-1000-ollama", "the same", ENGINE, OLLAMA, OF_OLLAMA, Bar(1 / 60)),
            _the_same("chunk-1000-peer", "the same", ENGINE, AIOHTTP, OF_AIOHTTP, Bar(0.6)),
            Row(
                "collect-1000",
                "1,000 streams, collect()",
                COLLECT,
                FLOOR,
                OF_FLOOR,
                Bar(1.5),
                beside=(),
            ),
            _the_same(
                "collect-1000-peer", "the same", COLLECT, AIOHTTP_COLLECT, OF_AIOHTTP, Bar(0.75)
            ),
        ),
        absolute=CPU_US,
        peers=slow_peers("chunks"),
        is_paired=True,
    ),
    # The worst case for a client that is woken: no two chunks together, unless it is late itself.
    Comparison(
        plan=Plan(streams=200, tick_s=TICK_FINEST_S, settle_s=SETTLE_S, window_s=WINDOW_S),
        rows=(
            Row(
                "apart-200",
                "200 streams, no two chunks sent together",
                ENGINE,
                FLOOR,
                OF_FLOOR,
                None,
            ),
        ),
        absolute=CPU_US,
        onlookers=(AIOHTTP,),
        repetitions_max=2,
        is_paired=True,
    ),
)
