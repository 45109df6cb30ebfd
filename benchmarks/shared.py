"""What several questions share: peers, units, and how a run's own figure is taken."""

from __future__ import annotations

from benchmarks.harness import Contender, Run
from benchmarks.questions import Absolute

SLOW_PEERS = ("httpx_asyncio", "httpx_trio", "openai_async", "langchain_ollama")
"""Clients that are shown and not judged by."""

OF_AIOHTTP = "x aiohttp + uvloop + msgspec"


def slow_peers(task: str) -> tuple[Contender, ...]:
    """Return the peers that are shown and not judged by, all at one task."""
    return tuple(Contender(client, task) for client in SLOW_PEERS)


def cpu_us(run: Run) -> float:
    """Return what a chunk cost, in microseconds."""
    return run.measurement.cpu_us_each


CPU_US = Absolute(cpu_us, "µs CPU per chunk")


def per_cpu_s(things: str) -> Absolute:
    """How many chunks or requests one core takes in within a second, if nothing else runs on it."""
    return Absolute(lambda run: 1e6 / cpu_us(run), f"{things} per CPU-second", is_more_better=True)
