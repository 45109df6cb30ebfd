"""What does a whole request cost when its answer is one line? 100 and 1,000 in flight.

The official client is measured as it comes, and with its faster setting: a new connection for each
request, because the pool underneath looks at every connection for every request. As it comes it has
100 connections at most, and at 1,000 in flight needs more CPU for the line of those who wait than a
minute has: there, only the faster setting is measured.
"""

from __future__ import annotations

from functools import partial

from benchmarks.figures import Bar
from benchmarks.harness import Contender
from benchmarks.plan import Plan
from benchmarks.questions import Comparison, Row
from benchmarks.shared import per_cpu_s, slow_peers

ENGINE = Contender("engine", "requests")
OLLAMA = Contender("ollama_async", "requests")
OLLAMA_FASTER = Contender("ollama_async", "requests_without_reuse")
AIOHTTP = Contender("aiohttp_uvloop", "requests")
FLOOR = Contender("floor", "requests")
ONLOOKERS = (*slow_peers("requests"), FLOOR)

OF_OLLAMA = "x the official client's requests per CPU-second"
OF_OLLAMA_FASTER = "x the official client's, without reuse of connections"
OF_AIOHTTP = "x those of aiohttp + uvloop + msgspec"


_the_same = partial(Row, beside=())

COMPARISONS = (
    Comparison(
        plan=Plan(in_flight=100, settle_s=0.3, window_s=1.2),
        rows=(
            Row(
                "short",
                "short requests (one-line answers), 100 in flight",
                ENGINE,
                OLLAMA,
                OF_OLLAMA,
                Bar(20, is_at_least=True),
            ),
            _the_same("short-faster", "the same", ENGINE, OLLAMA_FASTER, OF_OLLAMA_FASTER, None),
            _the_same(
                "short-peer", "the same", ENGINE, AIOHTTP, OF_AIOHTTP, Bar(1.0, is_at_least=True)
            ),
        ),
        absolute=per_cpu_s("requests"),
        onlookers=ONLOOKERS,
        onlooker_repetitions=1,
        is_paired=True,
    ),
    # They go round in step: the window is to hold a few rounds of the slowest.
    Comparison(
        plan=Plan(in_flight=1_000, settle_s=0.3, window_s=2.5),
        rows=(
            Row(
                "short-1000",
                "short requests, 1,000 in flight",
                ENGINE,
                OLLAMA_FASTER,
                OF_OLLAMA_FASTER,
                Bar(20, is_at_least=True),
            ),
            _the_same(
                "short-1000-peer",
                "the same",
                ENGINE,
                AIOHTTP,
                OF_AIOHTTP,
                Bar(1.0, is_at_least=True),
            ),
        ),
        absolute=per_cpu_s("requests"),
        onlookers=(FLOOR,),
        peers=slow_peers("requests"),
        is_paired=True,
    ),
)
