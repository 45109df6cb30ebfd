"""Simulators in processes that are killed, stopped, continued, and started where they were."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import attrs
import trio

from triollama_adapters.simulator import SimulatorConfig, open_simulator_processes

__all__ = ["Fleet", "open_fleet_of_processes"]


@attrs.define
class Fleet:
    """Simulators in processes, which can be sent signals.

    Attributes:
        config: what each simulates.
    """

    config: SimulatorConfig
    _stack: AsyncExitStack
    _blocks: dict[str, AsyncExitStack] = attrs.field(factory=dict)
    _pids: dict[str, int] = attrs.field(factory=dict)

    @property
    def urls(self) -> list[str]:
        """Where they are reached; the same after a restart."""
        return list(self._pids)

    @property
    def names(self) -> list[str]:
        """What an engine calls them."""
        return [url.removeprefix("http://") for url in self.urls]

    def signal(self, url: str, number: int) -> None:
        """Send a signal to the process behind a URL."""
        os.kill(self._pids[url], number)

    async def kill(self, url: str) -> None:
        """Kill the process behind a URL, and wait until it is gone."""
        await self._blocks[url].aclose()

    async def start(self, port: int = 0) -> None:
        """Start one on a port; 0 takes a free one."""
        block = await self._stack.enter_async_context(AsyncExitStack())
        opening = open_simulator_processes(1, self.config, port=port)
        [process] = await block.enter_async_context(opening)
        self._blocks[process.url], self._pids[process.url] = block, process.pid

    async def restart(self, url: str) -> None:
        """Kill the one behind a URL, and start one anew on the same port."""
        await self.kill(url)
        await self.start(urlsplit(url).port or 0)


@asynccontextmanager
async def open_fleet_of_processes(count: int, config: SimulatorConfig) -> AsyncIterator[Fleet]:
    """So many servers, each in its own process, for the time of a block."""
    async with AsyncExitStack() as stack:
        fleet = Fleet(config, stack)
        async with trio.open_nursery() as starting:
            for _ in range(count):
                starting.start_soon(fleet.start)
        yield fleet
