"""Whole fleets in one process, without sockets or threads: an httpx transport over simulators.

Owns the simulators by URL and which of them are down. Time is trio's, so that under
``trio.testing.MockClock`` hours pass in milliseconds, and the same seeds give the same run.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import trio

from .config import SimulatorConfig
from .core import Simulator
from .driver import Driver
from .exchange import Exchange
from .faults import FaultRule
from .memory_wire import MemoryWire
from .paths import is_blob
from .response import Request
from .uploads import Upload

__all__ = ["SimulatedFleet", "SimulatedTransport", "open_fleet"]

_WALL_NS = 1_785_600_000 * 1_000_000_000  # 2026-08-01 16:00 UTC at zero of trio's clock
_PIECE_BYTES_MAX = 40
"""Longest piece of a body that is split: shorter than most events, so that most are cut."""


@asynccontextmanager
async def open_fleet(
    configs: Mapping[str, SimulatorConfig], *, split_seed: int | None = None
) -> AsyncIterator[SimulatedFleet]:
    """Run simulators in memory for the length of a block; leaving it cuts every response.

    Args:
        configs: what to simulate at each URL, such as ``{"http://a:11434": SimulatorConfig()}``.
        split_seed: if given, bodies come in pieces of random length drawn from it.
    """
    fleet = SimulatedFleet(configs, split_seed=split_seed)
    try:
        async with trio.open_nursery() as nursery:
            for member in fleet.members():
                nursery.start_soon(member.driver.run)
            try:
                yield fleet
            finally:
                for member in fleet.members():
                    member.simulator.restart(trio.current_time())
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        lone = group.exceptions[0]
    else:
        return
    # The drivers raise nothing, so a lone exception is the block's own: give it as it was, from
    # outside the handler, which would make the group its context.
    try:
        raise lone
    finally:
        del lone  # it holds this frame


class _Member:
    """One simulator of a fleet, and whether it is up."""

    def __init__(self, config: SimulatorConfig) -> None:
        self.simulator = Simulator(config, wall_ns=_WALL_NS)
        self.driver = Driver(self.simulator, tick_s=0.0)
        self.is_up = True


class SimulatedFleet:
    """Simulators by URL; made by `open_fleet`.

    Args:
        configs: what to simulate at each URL.
        split_seed: see `open_fleet`.
    """

    def __init__(
        self, configs: Mapping[str, SimulatorConfig], *, split_seed: int | None = None
    ) -> None:
        self.urls = tuple(configs)
        self._members = {_key(httpx.URL(url)): _Member(config) for url, config in configs.items()}
        self._splits = None if split_seed is None else random.Random(split_seed)  # noqa: S311

    def transport(self) -> SimulatedTransport:
        """Make a transport that reaches every simulator of the fleet, and nothing else."""
        return SimulatedTransport(self)

    def simulator(self, url: str) -> Simulator:
        """The simulator at a URL, for its statistics and counts."""
        return self._member(url).simulator

    def set_faults(self, url: str, *rules: FaultRule) -> None:
        """Put rules in force at a URL; none clears them, and ends a refusal."""
        simulator = self.simulator(url)
        simulator.faults.set(rules)
        if not rules:
            simulator.refuse_until = float("-inf")

    def kill(self, url: str) -> None:
        """Take a server down: its responses are reset, and it accepts none until `revive`."""
        member = self._member(url)
        member.is_up = False
        member.simulator.restart(trio.current_time())

    def revive(self, url: str) -> None:
        """Bring a server up again, with no model loaded."""
        self._member(url).is_up = True

    def members(self) -> list[_Member]:
        """All members, in the order of the URLs."""
        return list(self._members.values())

    def _member(self, url: str) -> _Member:
        return self._members[_key(httpx.URL(url))]

    def connect(self, url: httpx.URL) -> _Member:
        """Find who answers at a URL.

        Raises:
            httpx.ConnectError: nobody is there, it is down, or it refuses.
        """
        member = self._members.get(_key(url))
        if member is None:
            raise httpx.ConnectError("[Errno -2] Name or service not known")
        if not member.is_up or member.simulator.is_refusing(trio.current_time()):
            raise httpx.ConnectError("All connection attempts failed")
        return member

    def split(self, data: bytes) -> list[bytes]:
        """Cut bytes into pieces of random length, if the fleet does that."""
        if self._splits is None or not data:
            return [data] if data else []
        pieces = []
        at = 0
        while at < len(data):
            size = self._splits.randint(1, _PIECE_BYTES_MAX)
            pieces.append(data[at : at + size])
            at += size
        return pieces


async def _asked(request: httpx.Request) -> Request:
    """Read a request; a blob is hashed while it comes, and not kept."""
    target = request.url.raw_path.decode("ascii")
    content_type = request.headers.get("content-type", "").encode("latin-1", "replace")
    if not is_blob(request.method, target):
        return Request(request.method, target, await request.aread(), content_type=content_type)
    upload = Upload()
    assert isinstance(request.stream, httpx.AsyncByteStream), "the client is an asynchronous one"
    async for data in request.stream:
        upload.feed(data)
    return Request(request.method, target, content_type=content_type, upload=upload)


def _key(url: httpx.URL) -> tuple[str, int]:
    return url.host, url.port or {"https": 443}.get(url.scheme, 80)


class SimulatedTransport(httpx.AsyncBaseTransport):
    """Requests to the simulators of a fleet. Each is a connection of its own.

    Args:
        fleet: which.
    """

    def __init__(self, fleet: SimulatedFleet) -> None:
        self._fleet = fleet

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and wait for the head of its response.

        Cancelling it, like closing the response, is the client's leaving: the generation stops.

        Raises:
            httpx.TransportError: as a transport with sockets would.
        """
        member = self._fleet.connect(request.url)
        read_s = request.extensions.get("timeout", {}).get("read")
        asked = await _asked(request)
        await trio.lowlevel.checkpoint()
        call = _Call(self._fleet, member, asked, read_s)
        try:
            await call.head()
        except BaseException:
            call.leave()
            raise
        wire = call.wire
        return httpx.Response(
            wire.status,
            headers=wire.headers,
            stream=call,
            extensions={"http_version": b"HTTP/1.1"},
        )


class _Call(httpx.AsyncByteStream):
    """One request in flight, and the stream of its response's body."""

    def __init__(
        self,
        fleet: SimulatedFleet,
        member: _Member,
        asked: Request,
        read_s: float | None,
    ) -> None:
        self._fleet = fleet
        self._member = member
        self._read_s = float("inf") if read_s is None else read_s
        self._exchange: Exchange | None = None
        self._is_full = False
        self._pieces: deque[bytes] = deque()
        self.wire = MemoryWire(is_head=asked.method == "HEAD", on_full=self._on_full)
        simulator = member.simulator
        simulator.connections += 1
        self._exchange = simulator.submit(asked, self.wire, trio.current_time())
        if self._is_full and not self._exchange.over:
            simulator.block(self._exchange)
        member.driver.wake()

    def _on_full(self, is_full: bool) -> None:  # noqa: FBT001  # a wire's one question, yes or no
        self._is_full = is_full
        if self._exchange is None or self._exchange.over:
            return
        if is_full:
            self._member.simulator.block(self._exchange)
        else:
            self._member.simulator.unblock(self._exchange, trio.current_time())
            self._member.driver.wake()

    async def head(self) -> None:
        """Wait for the head."""
        with trio.move_on_after(self._read_s) as scope:
            await self.wire.wait_head()
        if scope.cancelled_caught:
            raise httpx.ReadTimeout("")

    # An iterator of its own, and no generator: one that is left early needs no cleaning up.

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            with trio.move_on_after(self._read_s) as scope:
                self._pieces += self._fleet.split(await self.wire.read())
            if scope.cancelled_caught:
                raise httpx.ReadTimeout("")
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.popleft()

    async def aclose(self) -> None:
        """Close the connection. It does not wait, so a cancellation cannot stop it."""
        self.leave()

    def leave(self) -> None:
        """Tell the simulator that the client has gone; more than once does no harm."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._member.simulator.connections -= 1
            self._member.simulator.cancel(exchange, trio.current_time())
            self._member.driver.wake()
