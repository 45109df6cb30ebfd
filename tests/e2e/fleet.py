"""Simulators in processes, which are killed, stopped, continued, and started again where they were.

Owns the processes: whoever is left is killed, by its own id, when the block ends.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import attrs
import trio

from triollama_adapters.simulator import SimulatorConfig, config_to_json

__all__ = ["Fleet", "open_fleet_of_processes"]


@attrs.define
class Fleet:
    """Simulators in processes, which can be sent signals.

    Attributes:
        config: what each simulates.
        urls: where they are reached; the same after a restart.
        processes: by URL.
    """

    config: SimulatorConfig
    urls: list[str] = attrs.field(factory=list)
    processes: dict[str, trio.Process] = attrs.field(factory=dict)

    @property
    def names(self) -> list[str]:
        """What an engine calls them."""
        return [url.removeprefix("http://") for url in self.urls]

    def signal(self, url: str, number: int) -> None:
        """Send a signal to the process behind a URL."""
        self.processes[url].send_signal(number)

    async def kill(self, url: str) -> None:
        """Kill the process behind a URL, and wait until it is gone."""
        process = self.processes[url]
        process.kill()
        await process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                await stream.aclose()

    async def start(self, port: int = 0) -> None:
        """Start one on a port; 0 takes a free one."""
        command = [sys.executable, "-m", "triollama_adapters.simulator", "--until-eof"]
        process = await trio.lowlevel.open_process(
            [*command, "--config", "-", "--port", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        # Noted before its URL is known, so that it is killed even if this is cancelled.
        self.processes[f"pid {process.pid}"] = process
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send_all(json.dumps(config_to_json(self.config)).encode() + b"\n")
        said = b""
        while b"\n" not in said:
            data = await process.stdout.receive_some()
            assert data, "it has ended"
            said += data
        url = json.loads(said)["url"]
        if url not in self.urls:
            self.urls.append(url)
        self.processes[url] = self.processes.pop(f"pid {process.pid}")

    async def restart(self, url: str) -> None:
        """Kill the one behind a URL, and start one anew on the same port."""
        await self.kill(url)
        await self.start(urlsplit(url).port or 0)


@asynccontextmanager
async def open_fleet_of_processes(count: int, config: SimulatorConfig) -> AsyncIterator[Fleet]:
    """So many servers, each in its own process, for the time of a block."""
    fleet = Fleet(config)
    try:
        async with trio.open_nursery() as starting:
            for _ in range(count):
                starting.start_soon(fleet.start)
        yield fleet
    finally:
        with trio.CancelScope(shield=True):
            for url, process in fleet.processes.items():
                if process.returncode is None:
                    process.send_signal(signal.SIGKILL)  # it ends a stopped process too
                    await fleet.kill(url)
