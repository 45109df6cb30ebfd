"""Simulators in processes of their own, for benchmarks, end-to-end tests and the command line.

Owns the processes that it starts: they are killed by their id when the block ends, however it ends,
and they end by themselves when this process dies, because their stdin then ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from .config import SimulatorConfig, config_to_json

__all__ = ["open_simulators"]

_READY_S = 30.0
"""How long a process may take to accept connections; a loaded machine needs a few seconds."""
_KILL_S = 5.0
"""How long a killed process may take to be gone."""
_LINE_BYTES_MAX = 4096


@asynccontextmanager
async def open_simulators(
    count: int, config: SimulatorConfig | None = None
) -> AsyncIterator[list[str]]:
    """Start simulators, each in its own process, and give their URLs.

    Args:
        count: how many.
        config: what each simulates; None is the default server.

    Raises:
        RuntimeError: a process ended, or was not ready in 30 s.
    """
    line = json.dumps(config_to_json(config or SimulatorConfig())).encode() + b"\n"
    processes: list[trio.Process] = []
    urls = [""] * count
    try:
        async with trio.open_nursery() as nursery:
            for index in range(count):
                nursery.start_soon(_start, line, index, processes, urls)
        yield urls
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_S):
            await _stop(processes)


async def _stop(processes: list[trio.Process]) -> None:
    """Kill the processes and wait until they are gone."""
    for process in processes:
        process.kill()
    for process in processes:
        await process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                await stream.aclose()


async def _start(line: bytes, index: int, processes: list[trio.Process], urls: list[str]) -> None:
    """Start one process and read its URL."""
    command = [sys.executable, "-m", __package__, "--until-eof", "--config", "-"]
    with trio.CancelScope(shield=True):
        # Shielded, because a process that was started must be noted: else nobody would kill it.
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
    assert process.stdin is not None, "it was asked for"
    assert process.stdout is not None, "it was asked for"
    said = b""
    with trio.move_on_after(_READY_S):
        await process.stdin.send_all(line)
        while b"\n" not in said and len(said) < _LINE_BYTES_MAX:
            data = await process.stdout.receive_some(_LINE_BYTES_MAX)
            if not data:
                break
            said += data
    if b"\n" not in said:
        raise RuntimeError("a simulator's process ended, or was not ready in time")
    urls[index] = json.loads(said)["url"]
