"""Simulators in processes of their own, for benchmarks, end-to-end tests and the command line.

Owns the processes that it starts: they are killed by their id when the block ends, however it ends,
and they end by themselves when this process dies, because their stdin then ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio
from attrs import frozen

from triollama._errors import EngineError

from .config import SimulatorConfig, config_to_json

__all__ = ["SimulatorProcess", "open_simulator_processes", "open_simulators"]

_READY_S = 30.0
"""How long a process may take to accept connections; a loaded machine needs a few seconds."""
_KILL_S = 5.0
"""How long a killed process may take to be gone."""
_LINE_BYTES_MAX = 4096
"""What a process may say when it starts: a URL, or what is wrong."""


@frozen
class SimulatorProcess:
    """A simulator that runs.

    Attributes:
        url: its address.
        pid: the id of its process, for those who want to kill or to stop it.
    """

    url: str
    pid: int


@asynccontextmanager
async def open_simulators(
    count: int, config: SimulatorConfig | None = None
) -> AsyncIterator[list[str]]:
    """Start simulators, each in its own process, and give their URLs.

    As `open_simulator_processes`.
    """
    async with open_simulator_processes(count, config) as started:
        yield [each.url for each in started]


@asynccontextmanager
async def open_simulator_processes(
    count: int,
    config: SimulatorConfig | None = None,
    *,
    port: int = 0,
    truth: Path | None = None,
) -> AsyncIterator[list[SimulatorProcess]]:
    """Start simulators, each in its own process.

    The Ctrl-C of a terminal does not reach the processes: it is for whoever uses them to end them,
    in its own time, by leaving the block.

    Args:
        count: how many.
        config: what each simulates; None is the default server.
        port: the port of a single one; 0 takes free ones.
        truth: where each writes what really happened, see `truth`; of several, each into a file of
            its own, whose name is this with ``.0``, ``.1``, … behind it.

    Raises:
        EngineError: a process could not be started, ended, or was not ready in 30 s; it says which
            and why.
    """
    line = json.dumps(config_to_json(config or SimulatorConfig())).encode() + b"\n"
    processes: list[trio.Process] = []
    started: list[SimulatorProcess | None] = [None] * count
    failures: list[EngineError] = []
    try:
        async with trio.open_nursery() as nursery:

            async def start(index: int) -> None:
                try:
                    options = [f"--port={port}", *_truth_option(truth, index, count)]
                    started[index] = await _start(line, options, processes)
                except (OSError, _StartError) as error:
                    which = f"simulator {index + 1} of {count} could not be started"
                    failures.append(EngineError(f"{which}: {error}"))
                    nursery.cancel_scope.cancel()

            for index in range(count):
                nursery.start_soon(start, index)
        if failures:
            raise failures[0]
        yield [each for each in started if each is not None]
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _KILL_S):
            await _stop(processes)


def _truth_option(path: Path | None, index: int, count: int) -> list[str]:
    if path is None:
        return []
    return [f"--truth={path if count == 1 else f'{path}.{index}'}"]


class _StartError(Exception):
    """Why a process is not ready."""


async def _stop(processes: list[trio.Process]) -> None:
    """Kill the processes and wait until they are gone."""
    for process in processes:
        process.kill()
    for process in processes:
        await process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                await stream.aclose()


async def _start(
    line: bytes, options: list[str], processes: list[trio.Process]
) -> SimulatorProcess:
    """Start one process, note it, and read its URL.

    Raises:
        OSError: the system starts no process.
        _StartError: the process says why it cannot serve, ends, or is not ready in time.
    """
    command = [sys.executable, "-m", __package__, "--until-eof", "--config", "-", *options]
    with trio.CancelScope(shield=True):
        # Shielded, because a process that was started must be noted: else nobody would kill it.
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        processes.append(process)
    with trio.move_on_after(_READY_S):
        said = await _ask(process, line)
        if said is None:
            raise _StartError(f"its process ended with exit code {await process.wait()}")
        if "error" in said:
            raise _StartError(said["error"])
        return SimulatorProcess(str(said["url"]), process.pid)
    raise _StartError(f"it was not ready within {_READY_S:g} s")


async def _ask(process: trio.Process, line: bytes) -> dict[str, str] | None:
    """Give a process its configuration and read the one line that it says; None if it ends."""
    assert process.stdin is not None, "it was asked for"
    assert process.stdout is not None, "it was asked for"
    with suppress(trio.BrokenResourceError):  # it has ended, which reading tells as well
        await process.stdin.send_all(line)
    said = b""
    while not said.endswith(b"\n"):
        data = await process.stdout.receive_some(_LINE_BYTES_MAX)
        if not data or len(said) > _LINE_BYTES_MAX:
            return None
        said += data
    told: dict[str, str] = json.loads(said)
    return told
