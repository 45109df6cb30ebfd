"""A program that ends in order on SIGTERM and Ctrl-C; run by `test_signals` as a process.

    python interrupted.py URL STREAMS GRACE_S

It prints ``ready`` when all its streams have begun, and at the end what became of them, as JSON.
A plain `trio.run` dies of SIGTERM, so it listens for signals: the first one makes it leave the
engine's block, in which running streams have `grace_s`; a second one cancels all.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator

import trio

import triollama

Seen = Counter[str]
LATE_S = 0.01


async def read(engine: triollama.Engine, number: int, seen: Seen) -> None:
    """Read one stream; note that it began, and how it ended."""
    try:
        async with engine.stream_chat("llama3.2", f"Question {number}: what comes?") as stream:
            await anext(aiter(stream))
            seen["begun"] += 1
            async for chunk in stream:
                seen["done"] += chunk.done
    except triollama.TriollamaError as error:
        seen[type(error).__name__] += 1
    seen["ended"] += 1


async def ask_late(engine: triollama.Engine, seen: Seen) -> None:
    """Ask while the engine closes, and after."""
    for _ in range(3):
        await trio.sleep(LATE_S)
        try:
            await engine.chat("llama3.2", "Question: am I late?")
            seen["late done"] += 1
        except triollama.TriollamaError as error:
            seen[f"late {type(error).__name__}"] += 1


async def watch(signals: AsyncIterator[int], first: list[int], scope: trio.CancelScope) -> None:
    """Note the first signal; cancel all at each further one."""
    async for number in signals:
        if first:
            scope.cancel()
        first.append(number)


async def work(url: str, streams: int, grace_s: float, first: list[int], seen: Seen) -> None:
    """Read until a signal comes."""
    config = triollama.EngineConfig(grace_s=grace_s)
    endpoint = triollama.EndpointConfig(url, num_parallel=streams)
    async with trio.open_nursery() as readers:
        async with triollama.open_engine(endpoint, config=config) as engine:
            for number in range(streams):
                readers.start_soon(read, engine, number, seen)
            while seen["begun"] < streams:
                await trio.sleep(0.01)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            while not first:
                await trio.sleep(0.005)
            readers.start_soon(ask_late, engine, seen)


async def main(url: str, streams: int, grace_s: float) -> tuple[int, Seen]:
    """Give the number of the first signal, and what became of the streams."""
    seen: Seen = Counter()
    first: list[int] = []
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, signals, first, nursery.cancel_scope)
            await work(url, streams, grace_s, first, seen)
            nursery.cancel_scope.cancel()
    return first[0], seen


if __name__ == "__main__":
    caught, outcomes = trio.run(main, sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(json.dumps(outcomes) + "\n")
    sys.exit(128 + caught)
