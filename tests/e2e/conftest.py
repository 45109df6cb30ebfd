"""Engines over real sockets, and servers of every kind to reach."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from tests.e2e.fleet import Fleet, open_fleet_of_processes

from triollama_adapters.simulator import SimulatorConfig, fast_config
from triollama_adapters.simulator.server import Server

TEST_S = 20.0
"""A test that takes longer hangs: its defect is a wake-up that never came."""


async def _give_up() -> None:
    await trio.sleep(TEST_S)
    raise trio.TooSlowError


@pytest.fixture
async def time_limit(nursery: trio.Nursery) -> None:
    """Ends a test that hangs."""
    nursery.start_soon(_give_up)


@pytest.fixture
async def serve(time_limit: None, nursery: trio.Nursery) -> AsyncIterator[Callable[..., Server]]:
    """Start simulated servers on loopback ports; quick ones unless said otherwise."""
    servers: list[Server] = []

    def start(config: SimulatorConfig | None = None, **changes: Any) -> Server:
        quick = {"load_s": 0.0, "decode_tokens_per_s": 2_000.0} | changes
        server = Server(config or fast_config(**quick), host="127.0.0.1", port=0)
        servers.append(server)
        nursery.start_soon(server.driver.run)
        nursery.start_soon(server.accept, nursery)
        return server

    yield start
    nursery.cancel_scope.cancel()
    for server in servers:
        server.close()


Script = Callable[[trio.SocketStream, bytes], Awaitable[bool]]


@pytest.fixture
def serve_raw(time_limit: None, nursery: trio.Nursery) -> Callable[[Script], Awaitable[str]]:
    """Start a server that answers each request, taken to come in one piece, by a script.

    The script says whether the connection stays open.
    """

    async def start(script: Script) -> str:
        async def handle(stream: trio.SocketStream) -> None:
            with suppress(OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                async with stream:
                    while head := await stream.receive_some():
                        if not await script(stream, head):
                            return

        serve = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        return f"http://127.0.0.1:{listener.socket.getsockname()[1]}"

    return start


@pytest.fixture
async def fleet(time_limit: None) -> AsyncIterator[Fleet]:
    """Three servers in processes, whose answers take about 0.4 s."""
    config = fast_config(load_s=0.2, decode_tokens_per_s=100.0, answer_tokens_max=40)
    async with open_fleet_of_processes(3, config) as made:
        yield made


@pytest.fixture
def count_descriptors() -> Callable[[], int]:
    """Count the open files of this process."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no /proc")
    return lambda: len(os.listdir(folder))  # noqa: PTH208 - a Path per descriptor is not needed
