"""Plans, sessions and servers for tests of asking."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.asker import Asker, History
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.open import open_target
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload
from triollama_adapters.simulator import SimulatorConfig, fast_config
from triollama_adapters.simulator.server import Server

QUICK: dict[str, Any] = {
    "decode_tokens_per_s": 2_000.0,
    "prefill_tokens_per_s": 1e6,
    "load_s": 0.0,
    "jitter": 0.0,
}


def _plan(*urls: str, model: str = "llama3.2", **target: Any) -> Plan:
    return Plan(
        Target(urls, **target), Workload((Scenario("s", model),)), ClosedLoop(1), duration_s=1.0
    )


def _session(*turns: Turn, model: str = "llama3.2", **fields: Any) -> Session:
    return Session(7, None, "s", model, turns or (Turn("why?", num_predict=4),), **fields)


class Bench:
    """An asker over servers, and a clock."""

    def __init__(self, asker: Asker, clock: RunClock) -> None:
        self.asker = asker
        self.clock = clock

    async def ask(
        self, session: Session | None = None, turn: int = 0, history: History | None = None
    ) -> Sample:
        """Ask one turn, due now."""
        said = [] if history is None else history
        return await self.asker.ask(session or _session(), turn, said, self.clock.now_ns())


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """A plan for some addresses, with fields of its target."""
    return _plan


@pytest.fixture
def make_session() -> Callable[..., Session]:
    """A session of these turns."""
    return _session


@pytest.fixture
def open_bench() -> Callable[..., AbstractAsyncContextManager[Bench]]:
    """Open an asker for some addresses."""

    @asynccontextmanager
    async def opened(*urls: str, **target: Any) -> AsyncIterator[Bench]:
        clock = RunClock(time.perf_counter_ns())
        async with open_target(_plan(*urls, **target), clock) as asker:
            yield Bench(asker, clock)

    return opened


@pytest.fixture
def open_server() -> Callable[..., AbstractAsyncContextManager[Server]]:
    """Open a simulated server on a loopback port, in this process."""

    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[Server]:
        config: SimulatorConfig = fast_config(**(QUICK | changes))
        server = Server(config, host="127.0.0.1", port=0)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.driver.run)
                nursery.start_soon(server.accept, nursery)
                yield server
                nursery.cancel_scope.cancel()
        finally:
            server.close()

    return opened


@pytest.fixture
def open_script() -> Callable[..., AbstractAsyncContextManager[str]]:
    """Open a server that answers every request with the same pieces, and then may hang up."""

    @asynccontextmanager
    async def opened(*pieces: bytes, closes: bool = True) -> AsyncIterator[str]:
        async def answer(stream: trio.SocketStream) -> None:
            with stream.socket:
                while await _read_request(stream):
                    for piece in pieces:
                        await stream.send_all(piece)
                        await trio.sleep(0.005)
                    if closes:
                        return

        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
            host, port = listeners[0].socket.getsockname()[:2]
            yield f"http://{host}:{port}"
            nursery.cancel_scope.cancel()

    return opened


async def _read_request(stream: trio.SocketStream) -> bool:
    """Read one whole request; False at the end of the connection."""
    held = b""
    while True:
        head, blank, body = held.partition(b"\r\n\r\n")
        if blank:
            _, _, rest = head.lower().partition(b"content-length:")
            if len(body) >= int(rest.split(b"\r\n")[0]):
                return True
        try:
            data = await stream.receive_some()
        except trio.BrokenResourceError:
            return False
        if not data:
            return False
        held += data
