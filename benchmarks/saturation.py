"""How many chunks can one core take in? 1,000 streams, sent as fast as the sockets take them.

The figure is chunks per second of the client's CPU time: what one core takes in when nothing else
runs on it. The server sends many chunks with one call, so that it is never what is measured, and
they come to the client as they would from servers that it cannot keep up with: a socket's buffer
full at a time.
"""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.harness import Contender
from benchmarks.plan import Plan
from benchmarks.questions import Comparison, Row
from benchmarks.shared import OF_AIOHTTP, per_cpu_s

ENGINE = Contender("engine", "chunks")
AIOHTTP = Contender("aiohttp_uvloop", "chunks")

COMPARISONS = (
    Comparison(
        plan=Plan(streams=1_000, interval_s=0.0, settle_s=0.2, window_s=1.0),
        rows=(
            Row(
                "saturation",
                "1,000 streams as fast as they can be read",
                ENGINE,
                AIOHTTP,
                f"{OF_AIOHTTP}, chunks per CPU-second",
                Bar(1.3, is_at_least=True),
            ),
        ),
        absolute=per_cpu_s("chunks"),
        onlookers=(Contender("floor", "chunks"),),
        is_paired=True,
    ),
)
