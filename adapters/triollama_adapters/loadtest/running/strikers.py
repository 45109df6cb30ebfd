"""Who strikes simulated servers: signals to their processes, and their own routes."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

import attrs
import httpx
import trio

from triollama import EndpointConfig, EngineError
from triollama_adapters.batch.block import open_background
from triollama_adapters.loadtest.running.faults import Step, StrikeError
from triollama_adapters.simulator import SimulatorConfig
from triollama_adapters.simulator.process import SimulatorProcess, open_simulator_processes

__all__ = ["SimulatedStriker", "open_simulated_striker"]

CONTROL_S: Final = 5.0
"""How long a simulated server may take to answer a control request: one under load is late."""


@attrs.define
class _Server:
    """A simulated server.

    Attributes:
        url: its address.
        pid: of the process that serves it now; None: it is killed.
        is_stalled: whether that process is stopped.
        is_slow: whether it has another speed than it is configured with.
        end: ends the process, if it is one that was started here.
    """

    url: str
    pid: int | None
    is_stalled: bool = False
    is_slow: bool = False
    end: trio.CancelScope = attrs.field(factory=trio.CancelScope)


class SimulatedStriker:
    """Strikes servers that were started by `open_simulator_processes`; see `Striker`.

    Args:
        processes: the servers.
        config: with which a killed one is started anew.
        nursery: owns the servers that are started anew.
    """

    def __init__(
        self,
        processes: Sequence[SimulatorProcess],
        config: SimulatorConfig | None,
        nursery: trio.Nursery,
    ) -> None:
        self._servers = {
            EndpointConfig(each.url).name: _Server(each.url, each.pid) for each in processes
        }
        self._config = config
        self._nursery = nursery

    async def strike(self, step: Step) -> str:
        """Do it now; see `Striker.strike`."""
        server = self._servers.get(step.endpoint)
        if server is None:
            raise StrikeError("it is not simulated; give a command that does it")
        match step.act:
            case "kill":
                self._kill(server)
            case "stall":
                _signal(_alive(server), "SIGSTOP")
                server.is_stalled = True
            case "go_on":
                _go_on(server)
            case "restart":
                await self._restart(server)
            case "slow" | "restore":
                await _control(server.url, "speed", {"share": step.share})
                server.is_slow = step.act == "slow"
        return ""

    async def repair(self) -> None:
        """Let servers go on that were stalled, at the speed of before; those killed stay so."""
        for server in self._servers.values():
            if server.is_stalled:
                _go_on(server)
            if server.is_slow and server.pid is not None:
                with suppress(StrikeError):  # it is of no use any more
                    await _control(server.url, "speed", {"share": 1.0})

    def _kill(self, server: _Server) -> None:
        pid = _alive(server)
        server.pid, server.is_stalled, server.is_slow = None, False, False
        _signal(pid, "SIGKILL" if hasattr(signal, "SIGKILL") else "SIGTERM")

    async def _restart(self, server: _Server) -> None:
        """Start a killed one anew at its address; have another one forget all that it has."""
        if server.pid is not None:
            _go_on(server)
            await _control(server.url, "restart", None)
            return
        server.pid = await self._nursery.start(self._serve, server)

    async def _serve(
        self, server: _Server, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Own the process of a server that was started anew."""
        port = urlsplit(server.url).port or 0
        try:
            async with open_simulator_processes(1, self._config, port=port) as started:
                task_status.started(started[0].pid)
                await trio.sleep_forever()
        except EngineError as error:
            raise StrikeError(str(error)) from error


@asynccontextmanager
async def open_simulated_striker(
    processes: Sequence[SimulatorProcess], config: SimulatorConfig | None = None
) -> AsyncIterator[SimulatedStriker]:
    """Strike simulated servers, for the time of a block.

    At its end, servers that are stalled go on, those that are slow get their speed back, and the
    processes of those that were started anew are ended.

    Args:
        processes: the servers.
        config: theirs.
    """
    async with open_background() as nursery:
        striker = SimulatedStriker(processes, config, nursery)
        try:
            yield striker
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + CONTROL_S):
                await striker.repair()


def _alive(server: _Server) -> int:
    if server.pid is None:
        raise StrikeError("it is not running")
    return server.pid


def _go_on(server: _Server) -> None:
    if server.is_stalled:
        _signal(_alive(server), "SIGCONT")
        server.is_stalled = False


def _signal(pid: int, name: str) -> None:
    number = getattr(signal, name, None)
    if number is None:
        raise StrikeError(f"this system has no {name}")
    try:
        os.kill(pid, number)
    except OSError as error:
        raise StrikeError(f"its process cannot be sent {name}: {error.strerror}") from error


async def _control(url: str, what: str, body: dict[str, float] | None) -> None:
    try:
        async with httpx.AsyncClient(timeout=CONTROL_S, trust_env=False) as client:
            response = await client.post(f"{url}/_sim/{what}", json=body)
    except httpx.HTTPError as error:
        raise StrikeError(f"it does not answer: {type(error).__name__}") from error
    if response.status_code != 200:
        raise StrikeError(f"it answered /_sim/{what} with {response.status_code}")
