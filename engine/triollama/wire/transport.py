"""`WireTransport`: the engine's own `httpx.AsyncBaseTransport`.

It can stand in any ``httpx.AsyncClient``. The engine goes one layer deeper: `WireTransport.begin`
and `WireTransport.open` take a `Route`, whose head was encoded once, and give the `Exchange`, which
delivers the body in plain function calls instead of waking a task per piece.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import partial

import attrs
import httpx
import trio

from triollama._config import TLSConfig
from triollama.wire.connection_set import (
    AnyConnection,
    ConnectionLimits,
    ConnectionSet,
    ConnectionStatistics,
)
from triollama.wire.dialing import Origin, dial
from triollama.wire.exchange import Exchange
from triollama.wire.flow import ByteSink, FlowControl
from triollama.wire.http1 import HEADER_BLOCK_BYTES_MAX, ResponseHead, encode_head
from triollama.wire.outbox import TOGETHER_BYTES_MAX
from triollama.wire.reactor import Reactor, ReactorConnection
from triollama.wire.tls import open_context
from triollama.wire.upload import UploadExchange, announced_size

PULL_BYTES_HIGH = 64 * 1024
"""Body held for a reader that iterates; beyond it the connection is paused."""

_LENGTH_BYTES = 40
"""At most, of the header that tells the body's length."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


@attrs.frozen
class Route:
    """What requests of one kind have in common. Made by `WireTransport.route`.

    Attributes:
        connections: to where they go.
        head: the request's head, without the body's length and the blank line.
        is_head_request: whether the method is HEAD.
        has_body: whether a length is sent.
        pushed_bytes_max: the largest body that is sent without waiting; below 0, none is.
    """

    connections: ConnectionSet
    head: bytes = attrs.field(repr=False)  # keys and passwords stand in it
    is_head_request: bool
    has_body: bool
    pushed_bytes_max: int

    def encode(self, body: bytes) -> bytes:
        """Head and body in one piece: one system call sends both."""
        if self.has_body:
            return b"%s\r\nContent-Length: %d\r\n\r\n%s" % (self.head, len(body), body)
        return self.head + b"\r\n\r\n"


class WireTransport(httpx.AsyncBaseTransport):
    """Direct connections, plain and TLS, HTTP/1.1.

    No proxy, no redirect, no retry, no decompression. Cancelling a request, or closing its response
    early, closes its connection at once, so the server stops generating.

    Args:
        reactor: reads the plain connections; None gives each to the task that waits for it.
        tls: for ``https`` addresses.
        limits: per origin.
        header_bytes_max: the largest head of a response, in bytes.
    """

    def __init__(
        self,
        *,
        reactor: Reactor | None = None,
        tls: TLSConfig | None = None,
        limits: ConnectionLimits | None = None,
        header_bytes_max: int = HEADER_BLOCK_BYTES_MAX,
    ) -> None:
        self._reactor = reactor
        self._tls = tls or TLSConfig()
        self._limits = limits or ConnectionLimits()
        self._header_bytes_max = header_bytes_max
        self._sets: dict[Origin, ConnectionSet] = {}
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and wait for the head of the response.

        A body that is a stream, and whose ``Content-Length`` is told, is sent as it is read; any
        other is read first. The time limits in ``request.extensions["timeout"]`` hold: ``pool``
        until there is room for a connection, ``connect`` until there is one, ``write`` for sending
        (each piece of such a stream), ``read`` for the head and for each wait in the body of a
        response that is iterated. If cancelled, the connection is closed. The response's extension
        ``sent_ns`` tells when sending began, on the clock of `time.perf_counter_ns`.

        Raises:
            httpx.TransportError: a subclass says what failed.
        """
        limits_s = request.extensions.get("timeout", {})
        size_bytes = announced_size(request)
        if size_bytes is not None:
            return await self._upload(request, size_bytes, limits_s)
        body = await _read_body(request)
        # The whole body is at hand, so its length says all, and cannot be wrong.
        headers = [item for item in request.headers.raw if item[0].lower() not in _FRAMING]
        is_framed = len(headers) < len(request.headers.raw)
        route = self.route(request.method, request.url, headers, has_body=bool(body) or is_framed)
        exchange = await self.open(route, body, limits_s)
        try:
            with _limit(limits_s, "read", httpx.ReadTimeout):
                head = await exchange.wait_head()
        except BaseException:
            exchange.abort()
            raise
        return _response(exchange, head, limits_s)

    async def _upload(
        self, request: httpx.Request, size_bytes: int, limits_s: Mapping[str, float | None]
    ) -> httpx.Response:
        """Send a body while it is read, and wait for the head of the response."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        route = self.route(request.method, request.url, request.headers.raw, has_body=True)
        connection, is_reused = await self._connect(route, limits_s)
        exchange = connection.exchange = UploadExchange(
            connection, is_reused=is_reused, header_bytes_max=self._header_bytes_max
        )

        async def limited(sent: Awaitable[None]) -> None:
            with _limit(limits_s, "write", httpx.WriteTimeout):
                await sent

        try:
            await limited(exchange.send(route.head + b"\r\n\r\n"))
            head = await exchange.send_all(request.stream, size_bytes, limited)
        except BaseException:
            exchange.abort()
            raise
        return _response(exchange, head, limits_s)

    def route(
        self,
        method: str,
        url: httpx.URL,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        has_body: bool,
    ) -> Route:
        """What requests of one kind have in common, for `begin` and `open`.

        Args:
            method: ``GET``, ``POST``, …
            url: where to.
            headers: all but what frames the body; ``Host`` among them.
            has_body: whether a length is sent.

        Raises:
            httpx.LocalProtocolError: a header could break out of its line.
            httpx.UnsupportedProtocol: the URL is neither http nor https.
        """
        head = encode_head(method, url.raw_path, headers)
        is_pushed = self._reactor is not None and url.scheme == "http"
        room_bytes = TOGETHER_BYTES_MAX - len(head) - _LENGTH_BYTES if is_pushed else -1
        return Route(self._connections_to(url), head, method == "HEAD", has_body, room_bytes)

    def begin(self, route: Route, body: bytes) -> Exchange | None:
        """Send a request on an idle connection, if there is one and sending need not wait.

        Nothing is left to wait for but the answer. If nobody wants that any more, `Exchange.abort`.
        """
        if len(body) > route.pushed_bytes_max:
            return None
        connection = route.connections.reuse_nowait()
        if connection is None:
            return None
        exchange = self._exchange_on(connection, route, is_reused=True)
        _push(connection, route.encode(body))
        return exchange

    async def open(
        self, route: Route, body: bytes, limits_s: Mapping[str, float | None]
    ) -> Exchange:
        """The same as `begin`, whatever has to be waited for.

        Args:
            route: where and how.
            body: all of it.
            limits_s: as in ``request.extensions["timeout"]``; ``read`` is the caller's.

        Raises:
            httpx.TransportError: a subclass says what failed.
        """
        connection, is_reused = await self._connect(route, limits_s)
        exchange = self._exchange_on(connection, route, is_reused=is_reused)
        data = route.encode(body)
        if len(body) <= route.pushed_bytes_max:
            _push(connection, data)
            return exchange
        try:
            with _limit(limits_s, "write", httpx.WriteTimeout):
                await exchange.send(data)
        except BaseException:
            exchange.abort()
            raise
        return exchange

    async def _connect(
        self, route: Route, limits_s: Mapping[str, float | None]
    ) -> tuple[AnyConnection, bool]:
        """A connection for one exchange, and whether it was used before."""
        connections = route.connections
        idle = connections.reuse_nowait()
        if idle is not None:
            return idle, True
        if not connections.take_turn():
            with _limit(limits_s, "pool", httpx.PoolTimeout):
                await connections.wait_turn()
        with _limit(limits_s, "connect", httpx.ConnectTimeout):
            return await connections.acquire()

    def _exchange_on(self, connection: AnyConnection, route: Route, *, is_reused: bool) -> Exchange:
        exchange = connection.exchange = Exchange(
            connection,
            is_head_request=route.is_head_request,
            is_reused=is_reused,
            header_bytes_max=self._header_bytes_max,
        )
        return exchange

    def statistics(self) -> dict[str, ConnectionStatistics]:
        """A snapshot per origin, by ``host:port``."""
        return {str(origin): each.statistics() for origin, each in self._sets.items()}

    def close_expired(self) -> None:
        """Close connections that were idle for too long. Call it now and then."""
        for connections in self._sets.values():
            connections.close_expired()

    async def aclose(self) -> None:
        """Close all connections at once; what runs on them fails, and so does what comes later."""
        self.close_nowait()
        await trio.lowlevel.checkpoint()

    def close_nowait(self) -> None:
        """The same as `aclose`, which has nothing to wait for."""
        self._is_closed = True
        for connections in self._sets.values():
            connections.close()

    def _connections_to(self, url: httpx.URL) -> ConnectionSet:
        if url.scheme not in _DEFAULT_PORTS:
            raise httpx.UnsupportedProtocol(f"the scheme {url.scheme!r} is not http or https")
        origin = Origin(url.scheme, url.host, url.port or _DEFAULT_PORTS[url.scheme])
        connections = self._sets.get(origin)
        if connections is None:
            tls = open_context(self._tls) if origin.scheme == "https" else None
            dialer = partial(dial, origin, reactor=self._reactor, tls=tls)
            connections = self._sets[origin] = ConnectionSet(dialer, self._limits)
            if self._is_closed:
                connections.close()
        return connections


@asynccontextmanager
async def open_wire_transport(
    *, tls: TLSConfig | None = None, limits: ConnectionLimits | None = None
) -> AsyncIterator[WireTransport]:
    """A `WireTransport` with a reactor of its own, for use in an ``httpx.AsyncClient``.

    Leaving the block closes every connection.
    """
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        reactor = Reactor() if Reactor.is_supported() else None
        if reactor is not None:
            await nursery.start(reactor.run)
        async with WireTransport(reactor=reactor, tls=tls, limits=limits) as transport:
            try:
                yield transport
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - raised again below
                raised = error  # outside the nursery, which would wrap it in a group
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


class WireResponseStream(httpx.AsyncByteStream):
    """The body of a response: iterate it, or `pump` it into a sink."""

    def __init__(self, exchange: Exchange, *, read_s: float | None) -> None:
        self._exchange = exchange
        self._read_s = read_s

    async def pump(self, sink: ByteSink) -> None:
        """Deliver the body to `sink`, return when it has ended cleanly.

        If cancelled, the connection is closed.

        Raises:
            httpx.TransportError: the connection broke, or the framing is wrong.
            TriollamaError: `sink` refused the body.
        """
        try:
            self._exchange.attach(sink)
            await self._exchange.wait_end()
        except BaseException:
            self._exchange.abort()
            raise

    def fail(self, error: Exception) -> None:
        """End the exchange from outside: its connection is closed and `pump` raises `error`."""
        self._exchange.fail(error)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._exchange
        sink = _PullSink(exchange)
        exchange.attach(sink)
        while sink.pieces or not exchange.is_over:
            if sink.pieces:
                yield sink.take()
            else:
                with _limit({"read": self._read_s}, "read", httpx.ReadTimeout):
                    await exchange.wait_more()
        await exchange.wait_end()

    async def aclose(self) -> None:
        """Close the connection unless the body has ended. Never waits."""
        self._exchange.abort()


class _PullSink:
    """Holds the body for a task that iterates."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.pieces: list[bytes] = []
        self._held_bytes = 0

    def bind(self, flow: FlowControl) -> None:
        self._flow = flow

    def feed(self, data: bytes) -> None:
        self.pieces.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > PULL_BYTES_HIGH:
            self._flow.pause()
        self._exchange.wake()

    def take(self) -> bytes:
        data = b"".join(self.pieces)
        self.pieces.clear()
        self._held_bytes = 0
        self._flow.resume()
        return data


def _response(
    exchange: Exchange, head: ResponseHead, limits_s: Mapping[str, float | None]
) -> httpx.Response:
    return httpx.Response(
        head.status,
        headers=head.headers,
        stream=WireResponseStream(exchange, read_s=limits_s.get("read")),
        extensions={"sent_ns": exchange.sent_ns},
    )


async def _read_body(request: httpx.Request) -> bytes:
    stream = request.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    if isinstance(stream, httpx.ByteStream):
        return b"".join(stream)
    return b"".join([piece async for piece in stream])


def _push(connection: AnyConnection, data: bytes) -> None:
    assert isinstance(connection, ReactorConnection), "its route would say so"
    connection.send_soon(data)


def _limit(
    limits_s: Mapping[str, float | None], name: str, error: type[httpx.TimeoutException]
) -> AbstractContextManager[None]:
    limit_s = limits_s.get(name)
    return _UNLIMITED if limit_s is None else _limited(limit_s, name, error)


@contextmanager
def _limited(limit_s: float, name: str, error: type[httpx.TimeoutException]) -> Iterator[None]:
    with trio.move_on_after(limit_s) as scope:
        yield
    if scope.cancelled_caught:
        raise error(f"{name} took longer than {limit_s:g} s")


_UNLIMITED = nullcontext()
