"""A web server of a few lines, and names that lead where a test says."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import attrs
import pytest
import trio

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (8).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + b"x" * 999


@pytest.fixture
def picture() -> bytes:
    """The beginning of a small PNG."""
    return PNG


@attrs.define
class Web:
    """What it answers to every request, and the requests that came."""

    port: int
    answer: bytes = b""
    keeps_open: bool = False
    is_impatient: bool = False
    requests: list[bytes] = attrs.field(factory=list)
    hung_up: trio.Event = attrs.field(factory=trio.Event)

    def says(self, body: bytes, status: str = "200 OK", headers: str = "") -> None:
        """Answer with this from now on."""
        length = f"Content-Length: {len(body)}\r\n" if "Length" not in headers else ""
        self.answer = f"HTTP/1.1 {status}\r\n{length}{headers}\r\n".encode() + body

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection."""
        async with stream:
            try:
                request = await stream.receive_some()
                while b"\r\n\r\n" not in request:
                    request += await stream.receive_some()
                head, _, body = bytes(request).partition(b"\r\n\r\n")
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        size = int(line[15:])
                        while len(body) < size and not self.is_impatient:
                            body += await stream.receive_some()
                self.requests.append(head + b"\r\n\r\n" + body)
                await stream.send_all(self.answer)
                if self.keeps_open:
                    await stream.receive_some()
                    self.hung_up.set()
            except trio.BrokenResourceError:
                self.hung_up.set()


@pytest.fixture
async def web(nursery: trio.Nursery) -> AsyncIterator[Web]:
    """A web server on the loopback."""
    found: Web | None = None

    async def handle(stream: trio.SocketStream) -> None:
        assert found is not None
        await found.serve(stream)

    serve = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
    listeners: list[trio.SocketListener] = await nursery.start(serve)
    found = Web(listeners[0].socket.getsockname()[1])
    yield found
    nursery.cancel_scope.cancel()


class Names(trio.abc.HostnameResolver):
    """Names and their addresses; the look-ups are counted."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.wait: Callable[[], Awaitable[None]] | None = None

    async def getaddrinfo(self, host: Any, port: Any, *_: Any) -> Any:
        """As `socket.getaddrinfo`."""
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        if self.wait is not None:
            await self.wait()
        if name not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (each, port, 0, 0) if ":" in each else (each, port),
            )
            for each in self.known[name]
        ]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        """Not needed."""
        raise NotImplementedError


@pytest.fixture
def names() -> Names:
    """The resolver; install it inside the test with `trio.socket.set_custom_hostname_resolver`."""
    return Names()
