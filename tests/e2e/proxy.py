"""A TCP proxy before one server, which breaks answers at a chosen byte.

Owns its listener and its connections. It counts the bytes of each answer to a chat from 0, also
where several answers come over one connection; all other requests pass unharmed.
"""

from __future__ import annotations

import enum
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import attrs
import trio

__all__ = ["Break", "Kind", "Place", "Proxy", "open_proxy"]

_COUNTED = b"POST /api/chat "
_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
_LINGER_0 = struct.pack("ii", 1, 0)

Place = Callable[[bytes], int | None]
"""Where an answer breaks, given its bytes so far; None is "not yet"."""


class Kind(enum.Enum):
    """How an answer breaks."""

    CUT = "cut"  # both sides are closed
    RESET = "reset"  # the client's side is reset
    HALF_CLOSE = "half close"  # no more comes, but the connection stays open the other way
    SILENCE = "silence"  # nothing more is forwarded, the connection stays open
    DELAY = "delay"  # what comes after that byte comes late


@attrs.frozen
class Break:
    """A fault.

    Attributes:
        kind: what happens.
        place: after how many bytes of the answer.
        delay_s: how long a `Kind.DELAY` is.
    """

    kind: Kind
    place: Place
    delay_s: float = 0.0


@attrs.define
class _Answer:
    """What has passed of the answer under way on one connection."""

    is_counted: bool = False
    passed: bytearray = attrs.field(factory=bytearray)

    def begin(self, request: bytes) -> None:
        self.is_counted = request.startswith(_COUNTED)
        self.passed.clear()


class Proxy:
    """One proxy. Made by `open_proxy`.

    Attributes:
        fault: what happens to each answer; None lets all pass.
        struck: of each answer that was broken, the bytes that had passed.
    """

    def __init__(self, upstream: str, nursery: trio.Nursery) -> None:
        self.fault: Break | None = None
        self.struck: list[bytes] = []
        self._upstream_port = urlsplit(upstream).port or 0
        self._nursery = nursery
        self._listening = trio.CancelScope()
        self._is_refusing = trio.Event()
        self._port = 0

    @property
    def name(self) -> str:
        """What an engine calls it."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Where clients reach the server through it."""
        return f"http://{self.name}"

    async def admit(self) -> None:
        """Accept connections, always on the same port."""
        [listener] = await trio.open_tcp_listeners(self._port, host="127.0.0.1")
        self._port = listener.socket.getsockname()[1]
        self._listening = await self._nursery.start(self._listen, listener)

    async def refuse(self) -> None:
        """Cut all connections, and refuse new ones."""
        self._listening.cancel()
        await self._is_refusing.wait()

    async def _listen(
        self,
        listener: trio.SocketListener,
        task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        self._is_refusing = trio.Event()
        try:
            async with listener, trio.open_nursery() as connections:
                task_status.started(connections.cancel_scope)
                await trio.serve_listeners(self._carry, [listener], handler_nursery=connections)
        finally:
            self._is_refusing.set()

    async def _carry(self, client: trio.SocketStream) -> None:
        with suppress(*_GONE):
            async with client:
                upstream = await trio.open_tcp_stream("127.0.0.1", self._upstream_port)
                async with upstream, trio.open_nursery() as pumps:
                    answer = _Answer()
                    pumps.start_soon(self._carry_up, client, upstream, answer, pumps.cancel_scope)
                    with suppress(*_GONE):
                        await self._carry_down(client, upstream, answer)
                    pumps.cancel_scope.cancel()

    async def _carry_up(
        self,
        client: trio.SocketStream,
        upstream: trio.SocketStream,
        answer: _Answer,
        scope: trio.CancelScope,
    ) -> None:
        with suppress(*_GONE):
            while data := await client.receive_some():
                if data.startswith((b"POST ", b"GET ")):  # a request comes in one piece or two
                    answer.begin(bytes(data))
                await upstream.send_all(data)
        scope.cancel()

    async def _carry_down(
        self, client: trio.SocketStream, upstream: trio.SocketStream, answer: _Answer
    ) -> None:
        while data := await upstream.receive_some():
            rest = bytes(data)
            at = self._breaks_at(answer, rest)
            if at is not None:
                await client.send_all(rest[:at])
                self.struck.append(bytes(answer.passed) + rest[:at])
                answer.is_counted = False
                if not await self._strike(client, upstream):
                    return
                rest = rest[at:]
            answer.passed += rest
            await client.send_all(rest)

    def _breaks_at(self, answer: _Answer, data: bytes) -> int | None:
        """How much of these bytes still passes, if the answer breaks among them."""
        if self.fault is None or not answer.is_counted:
            return None
        at = self.fault.place(bytes(answer.passed) + data)
        return None if at is None else max(0, at - len(answer.passed))

    async def _strike(self, client: trio.SocketStream, upstream: trio.SocketStream) -> bool:
        """Carry out the fault; return whether the answer goes on after it."""
        assert self.fault is not None
        match self.fault.kind:
            case Kind.DELAY:
                await trio.sleep(self.fault.delay_s)
                return True
            case Kind.RESET:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            case Kind.HALF_CLOSE:
                await client.send_eof()
                await trio.sleep_forever()
            case Kind.SILENCE:
                while await upstream.receive_some():
                    pass
                await trio.sleep_forever()
            case Kind.CUT:
                pass
        return False


@asynccontextmanager
async def open_proxy(upstream: str) -> AsyncIterator[Proxy]:
    """A proxy before the server at a URL, for the time of a block; then all is cut."""
    async with trio.open_nursery() as nursery:
        proxy = Proxy(upstream, nursery)
        await proxy.admit()
        yield proxy
        nursery.cancel_scope.cancel()
