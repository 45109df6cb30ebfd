"""What changes as streams multiply? The same 5,000 chunks/s over 10 to 10,000 streams.

What a chunk costs should depend on how many chunks come, not on how many streams are open; and what
an open stream weighs should not depend on how many others there are.
"""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.harness import FILES_SPARE, Contender, Run
from benchmarks.measure import file_limit
from benchmarks.plan import Plan
from benchmarks.questions import Absolute, Comparison, Row
from benchmarks.shared import CPU_US, OF_AIOHTTP, SLOW_PEERS

CHUNKS_PER_S = 5_000
"""Of all streams together: what every peer can take in."""

STREAMS = tuple(n for n in (10, 100, 1_000, 5_000, 10_000) if n + FILES_SPARE <= file_limit())
"""As far as the system allows one process to open sockets."""

FEW = tuple(n for n in STREAMS if n <= 1_000)
"""What every peer can open in a second or two."""

BASE = 100
"""The number of streams that the others are compared with."""

WEIGHED = tuple(n for n in STREAMS if n >= 5_000)
"""Enough streams that what the process has without them does not matter."""

SLOW_TO_OPEN = ("ollama_async", *SLOW_PEERS)
"""Peers that take long to open thousands of streams: there, they are measured only when asked."""

SHOWN = ("ollama_async", "httpx_asyncio")
"""Those of them that are always measured up to a thousand streams: the others' curves have the same
shape, see ``chunk-100`` for their height."""


def _plan(streams: int) -> Plan:
    return Plan(
        streams=streams,
        interval_s=streams / CHUNKS_PER_S,
        settle_s=0.3,
        window_s=0.65,
        deadline_s=20.0,
    )


def _at(client: str, streams: int) -> Contender:
    return Contender(client, "chunks", _plan(streams))


def _apart_percent(run: Run, other: Run) -> float:
    return 100 * abs(CPU_US.over(run, other) - 1)


def _growth(streams: int) -> Row:
    here = tuple(_at(client, streams) for client in ("floor", "aiohttp_uvloop", *SLOW_TO_OPEN))
    base = tuple(_at(client, BASE) for client in ("floor", "aiohttp_uvloop", *SLOW_TO_OPEN))
    return Row(
        f"growth-{streams}",
        f"{CHUNKS_PER_S:,} chunks/s over {streams:,} streams: CPU per chunk beside {BASE} streams",
        _at("engine", streams),
        _at("engine", BASE),
        "% apart",
        Bar(25) if streams > BASE else None,
        _apart_percent,
        beside=(*here, *base) if streams == STREAMS[0] else here,
        kind="curve",
    )


def _weights(streams: int) -> tuple[Row, Row]:
    what = f"memory that an open stream adds, at {streams:,} streams"
    engine, aiohttp = _at("engine", streams), _at("aiohttp_uvloop", streams)
    name, shown = (
        f"memory-{streams}",
        Absolute(lambda run: run.rss_kib_per_stream, "KiB per stream"),
    )
    own = Row(
        name,
        what,
        engine,
        None,
        "KiB of RSS",
        Bar(20),
        absolute=shown,
        beside=tuple(_at(client, streams) for client in ("floor", *SLOW_TO_OPEN)),
    )
    ratio = Row(
        f"{name}-peer",
        "the same",
        engine,
        aiohttp,
        OF_AIOHTTP,
        Bar(0.7),
        absolute=shown,
        beside=(),
    )
    return own, ratio


COMPARISONS = (
    Comparison(
        plan=_plan(BASE),
        rows=(
            *(_growth(n) for n in STREAMS if n != BASE),
            *(row for n in WEIGHED for row in _weights(n)),
        ),
        absolute=CPU_US,
        onlookers=(
            *(_at("floor", n) for n in STREAMS),
            *(_at("aiohttp_uvloop", n) for n in STREAMS if n not in WEIGHED),
            *(_at(client, n) for client in SHOWN for n in FEW),
        ),
        peers=tuple(
            _at(client, n)
            for client in SLOW_TO_OPEN
            for n in STREAMS
            if n in WEIGHED or client not in SHOWN
        ),
        onlooker_repetitions=1,
        is_paired=True,
    ),
)
