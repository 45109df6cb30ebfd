"""A scripted raw server, and the three ways to it: reactor, task path, task path with TLS."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import attrs
import httpx
import pytest
import trio
import trustme

from triollama.wire.connection_set import ConnectionLimits, ConnectionStatistics
from triollama.wire.flow import FlowControl
from triollama.wire.reactor import Reactor
from triollama.wire.tls import TLSConfig
from triollama.wire.transport import WireResponseStream, WireTransport

OK = b"HTTP/1.1 200 OK\r\n"

Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's end of one connection, for a script to use.

    Attributes:
        number: 1 for the first connection that the server took, and so on.
        requests: the heads and bodies it has read.
    """

    def __init__(self, stream: trio.abc.Stream, sock: trio.socket.SocketType, number: int) -> None:
        self.stream = stream
        self.sock = sock
        self.number = number
        self.requests: list[tuple[bytes, bytes]] = []
        self._held = b""

    async def head(self) -> bytes:
        """Read the head of a request; what follows it is held."""
        while b"\r\n\r\n" not in self._held:
            await self._hold_more()
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        return head

    async def request(self) -> tuple[bytes, bytes]:
        """Read a request with its body."""
        head = await self.head()
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(self._held) < length:
            await self._hold_more()
        body, self._held = self._held[:length], self._held[length:]
        self.requests.append((head, body))
        return head, body

    async def _hold_more(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise EOFError
        self._held += data

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self.stream.send_all(data)

    async def answer(self, body: bytes = b"", headers: bytes = b"") -> None:
        """Send a 200 with a length."""
        await self.send(OK + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def chunk(self, data: bytes) -> None:
        """Send one HTTP chunk."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def wait_closed(self) -> bool:
        """Wait for the client to hang up; whether it sent nothing before."""
        with suppress(trio.BrokenResourceError, ConnectionError):
            return not await self.stream.receive_some()
        return True

    def close(self) -> None:
        """Hang up with a FIN (without TLS's farewell)."""
        self.sock.close()

    def reset(self) -> None:
        """Hang up with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


async def echo(peer: Peer) -> None:
    """Answer every request with its own body."""
    while True:
        _, body = await peer.request()
        await peer.answer(body)


@attrs.frozen
class Authority:
    """A certificate authority, and what it issued, as files and contexts."""

    ca_file: Path
    client_file: Path
    server: ssl.SSLContext
    picky_server: ssl.SSLContext
    stranger_server: ssl.SSLContext
    misnamed_server: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """TLS material that expires with the session."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    ca.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "client.pem")
    )
    issued = ca.issue_cert("127.0.0.1", "localhost")

    def context(cert: trustme.LeafCert) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        cert.configure_cert(made)
        return made

    picky = context(issued)
    ca.configure_trust(picky)
    picky.verify_mode = ssl.CERT_REQUIRED
    return Authority(
        ca_file=folder / "ca.pem",
        client_file=folder / "client.pem",
        server=context(issued),
        picky_server=picky,
        stranger_server=context(trustme.CA().issue_cert("127.0.0.1")),
        misnamed_server=context(ca.issue_cert("gpu-1.example.org")),
    )


TEST_S = 10.0
"""A test that takes longer hangs: its defect is a wake-up that never came."""


async def _give_up() -> None:
    started_s = time.monotonic()
    await trio.sleep(TEST_S)
    # A test with a clock of its own may have jumped.
    if time.monotonic() - started_s >= TEST_S:
        raise trio.TooSlowError


class Bench:
    """Starts servers and transports for one test, and ends them after it.

    Attributes:
        path: ``reactor``, ``task`` or ``tls``.
        reactor: the running reactor, on that path.
        peers: every connection that a server took, in order.
    """

    def __init__(self, path: str, nursery: trio.Nursery, authority: Authority) -> None:
        self.path = path
        self.reactor: Reactor | None = None
        self.peers: list[Peer] = []
        self.stack = AsyncExitStack()
        self._nursery = nursery
        self._authority = authority

    @property
    def is_tls(self) -> bool:
        """Whether the path is encrypted."""
        return self.path == "tls"

    async def serve(self, script: Script = echo, *, tls: ssl.SSLContext | None = None) -> str:
        """Start a server whose every connection runs `script`; returns its URL."""
        context = tls or (self._authority.server if self.is_tls else None)
        serve = partial(trio.serve_tcp, self._handler(script, context), 0, host="127.0.0.1")
        [listener] = await self._nursery.start(serve)
        scheme = "http" if context is None else "https"
        return f"{scheme}://127.0.0.1:{listener.socket.getsockname()[1]}"

    def _handler(
        self, script: Script, context: ssl.SSLContext | None
    ) -> Callable[[trio.SocketStream], Awaitable[None]]:
        async def handle(stream: trio.SocketStream) -> None:
            sock = stream.socket
            peer = Peer(stream, sock, len(self.peers) + 1)
            self.peers.append(peer)
            try:
                if context is not None:
                    peer.stream = trio.SSLStream(
                        stream, context, server_side=True, https_compatible=True
                    )
                    await peer.stream.do_handshake()
                await script(peer)
            except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError, ConnectionError):
                pass  # the client went away
            finally:
                sock.close()

        return handle

    def transport(self, **options: object) -> WireTransport:
        """A transport on this path; closed after the test."""
        options.setdefault("tls", TLSConfig(ca_file=self._authority.ca_file))
        made = WireTransport(reactor=self.reactor, **options)
        self.stack.push_async_callback(made.aclose)
        return made

    def limited(self, **limits: float) -> WireTransport:
        """A transport with these connection limits."""
        return self.transport(limits=ConnectionLimits(**limits))


@pytest.fixture(params=["reactor", "task", "tls"])
async def bench(
    request: pytest.FixtureRequest, nursery: trio.Nursery, authority: Authority
) -> AsyncIterator[Bench]:
    """A `Bench` for each path."""
    made = Bench(request.param, nursery, authority)
    if made.path == "reactor":
        made.reactor = Reactor()
        await nursery.start(made.reactor.run)
    nursery.start_soon(_give_up)
    async with made.stack:
        yield made
    nursery.cancel_scope.cancel()


@pytest.fixture
async def reactor_bench(nursery: trio.Nursery, authority: Authority) -> AsyncIterator[Bench]:
    """A `Bench` on the reactor's path whose reactor the test may start and stop itself."""
    made = Bench("reactor", nursery, authority)
    made.reactor = Reactor()
    nursery.start_soon(_give_up)
    async with made.stack:
        yield made
    nursery.cancel_scope.cancel()


class Collected:
    """A sink that keeps everything.

    Attributes:
        pieces: what came.
        stamps: the arrival of each piece.
        on_feed: called after each piece.
    """

    def __init__(self, on_feed: Callable[[Collected], None] | None = None) -> None:
        self.pieces: list[bytes] = []
        self.stamps: list[int] = []
        self.on_feed = on_feed
        self.flow: FlowControl | None = None

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        self.flow = flow

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""
        self.pieces.append(data)
        assert self.flow is not None
        self.stamps.append(self.flow.received_ns)
        if self.on_feed is not None:
            self.on_feed(self)


async def _pump_and_fail(
    stream: WireResponseStream, sink: Collected, expected: type[Exception]
) -> Exception:
    with pytest.raises(expected) as caught:
        await stream.pump(sink)
    return caught.value


@pytest.fixture
def pump_and_fail() -> Callable[..., Awaitable[Exception]]:
    """Pump a stream that must fail with this error, which is returned."""
    return _pump_and_fail


class Client:
    """Requests in one line, straight through a transport."""

    def __init__(self, transport: WireTransport, url: str) -> None:
        self.transport = transport
        self.url = url

    async def open(
        self, content: object = b"", *, method: str = "POST", timeout: object = None
    ) -> tuple[httpx.Response, WireResponseStream]:
        """Send, wait for the head."""
        limits = {} if timeout is None else {"timeout": timeout}
        request = httpx.Request(method, f"{self.url}/api", content=content, extensions=limits)
        response = await self.transport.handle_async_request(request)
        assert isinstance(response.stream, WireResponseStream)
        return response, response.stream

    async def post(self, content: object = b"", **options: object) -> bytes:
        """Send, pump the whole body."""
        _, stream = await self.open(content, **options)
        sink = Collected()
        await stream.pump(sink)
        return sink.body

    @property
    def connections(self) -> ConnectionStatistics:
        """The counts of the one origin."""
        [counts] = self.transport.statistics().values()
        return counts


@pytest.fixture
def client_of() -> type[Client]:
    """`Client`, for tests that make their own."""
    return Client


@pytest.fixture
def collected() -> type[Collected]:
    """`Collected`, for tests that make their own."""
    return Collected


async def _quiet() -> None:
    """Let sockets and tasks come to rest: FINs cross the loopback in microseconds."""
    for _ in range(4):
        await trio.sleep(0.001)
        await trio.testing.wait_all_tasks_blocked(0.001)


@pytest.fixture
def quiet() -> Callable[[], Awaitable[None]]:
    """Wait until nothing moves any more."""
    return _quiet


@pytest.fixture
def count_descriptors() -> Callable[[], int]:
    """How many descriptors this process has open."""

    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())  # its own one is counted always

    return count


@pytest.fixture
def refused_port() -> Iterator[int]:
    """A port that nobody listens on: bound, so that nobody else can."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
