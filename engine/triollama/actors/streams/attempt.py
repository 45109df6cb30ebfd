"""One try of a call on one endpoint: send it, and let the answer flow into an inflow.

`EndpointAccess` is the edge to the transports: ours is spoken to directly, with a head that is
encoded once per route; any other through `httpx.AsyncBaseTransport`. Both give an `_Answer`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

import attrs
import httpx

from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import EndpointError, ProtocolError, RequestRejectedError, TriollamaError
from triollama.actors.streams.core import refusal
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.messages import Call
from triollama.wire.exchange import Exchange
from triollama.wire.failures import translate
from triollama.wire.flow import FlowControl
from triollama.wire.pump import discard, pump
from triollama.wire.transport import Route, WireResponseStream, WireTransport

ERROR_BYTES_MAX = 64 * 1024
"""Of the body of an error; Ollama's are below 1 KiB."""

_CONTENT_TYPES = (b"application/x-ndjson", b"application/json")

_Headers = Iterable[tuple[bytes, bytes]]


class _Head(Protocol):
    """The head of a response."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> _Headers:
        """Names and values as sent."""


@attrs.frozen
class _Answer:
    """The head of a response, and its body on its way."""

    status: int
    headers: _Headers
    stream: object
    sent_ns: int

    def header(self, name: bytes) -> bytes:
        """The first value of a header, by its lower-case name; empty if there is none."""
        return _header(self.headers, name)


def _header(headers: _Headers, name: bytes) -> bytes:
    for key, value in headers:
        if key.lower() == name:
            return value
    return b""


def _suits(head: _Head) -> bool:
    """Whether this is the answer to a call."""
    return head.status == 200 and _header(head.headers, b"content-type").startswith(_CONTENT_TYPES)


class EndpointAccess:
    """How calls reach one endpoint: its address, its headers, its transport.

    Args:
        endpoint: the endpoint.
        transport: carries the requests.
        config: the clocks and limits.
    """

    def __init__(
        self, endpoint: EndpointConfig, transport: httpx.AsyncBaseTransport, config: EngineConfig
    ) -> None:
        self.name = endpoint.name
        self._base = httpx.URL(endpoint.url)
        self._transport = transport
        self._headers = _constant_headers(self._base, endpoint.headers)
        self._limits_s = {"connect": config.connect_s, "pool": config.connect_s}
        self._routes: dict[tuple[str, str, bool], Route] = {}

    def begin(self, call: Call) -> Exchange | None:
        """Send the call on a connection that is idle, for `take`, which must follow at once.

        Returns:
            None if there is no such connection, or this call cannot be sent so.
        """
        transport, route = self._transport, self._route_of(call)
        if not isinstance(transport, WireTransport) or route is None:
            return None
        return transport.begin(route, call.body) if transport.can_push(route, call.body) else None

    async def open(self, call: Call) -> Exchange | None:
        """The same, on a new connection; None if this call cannot be sent so.

        Raises:
            EndpointError: there is no connection.
        """
        transport, route = self._transport, self._route_of(call)
        if not isinstance(transport, WireTransport) or route is None:
            return None
        if not transport.can_push(route, call.body):
            return None
        try:
            return await transport.open(route, call.body, self._limits_s)
        except httpx.TransportError as error:
            raise translate(error, self.name) from error

    async def take(self, call: Call, inflow: Inflow, exchange: Exchange) -> None:
        """Take the answer to a call that was sent by `begin` or `open`; see `attempt`.

        Waits for the answer alone: `Exchange.fail` ends it with any error.
        """
        sent_ns = inflow.sent_ns = time.perf_counter_ns()
        exchange.expect(inflow, _suits)
        try:
            head = await exchange.wait_taken()
            if head is not None:
                stream = WireResponseStream(exchange, read_s=None)
                raise await self._refusal(_Answer(head.status, head.headers, stream, sent_ns), call)
            inflow.finish()
        except httpx.TransportError as error:
            raise translate(error, self.name) from error
        except (EndpointError, RequestRejectedError) as error:
            error.endpoint = self.name
            raise
        finally:
            exchange.abort()

    async def attempt(self, call: Call, inflow: Inflow) -> None:
        """Send the call; returns when the answer is whole and its body has ended.

        If cancelled, the connection is closed, so that the server stops generating.

        Raises:
            EndpointError: the endpoint failed.
            RequestRejectedError: it refused the request.
        """
        inflow.sent_ns = time.perf_counter_ns()
        try:
            answer = await self._send(call)
            inflow.sent_ns = answer.sent_ns
            if not _suits(answer):
                raise await self._refusal(answer, call)
            await pump(answer.stream, inflow)
            inflow.finish()
        except httpx.TransportError as error:
            raise translate(error, self.name) from error
        except (EndpointError, RequestRejectedError) as error:
            error.endpoint = self.name
            raise

    def _route_of(self, call: Call) -> Route | None:
        """What calls of this kind have in common; None if the transport is not our own."""
        transport = self._transport
        if not isinstance(transport, WireTransport):
            return None
        return self._route(transport, call)

    def _route(self, transport: WireTransport, call: Call) -> Route:
        key = (call.method, call.path, call.wants_stream)
        route = self._routes.get(key)
        if route is None:  # a handful exist
            url = self._base.copy_with(path=call.path)
            headers, has_body = self._headers_for(call), call.method == "POST"
            route = transport.route(call.method, url, headers, has_body=has_body)
            self._routes[key] = route
        return route

    async def _send(self, call: Call) -> _Answer:
        transport = self._transport
        if isinstance(transport, WireTransport):
            route = self._route(transport, call)
            sent = await transport.send(route, call.body, self._limits_s)
            return _Answer(sent.status, sent.headers, sent.stream, sent.sent_ns)
        headers = self._headers_for(call)
        if call.method == "POST":
            headers.append((b"Content-Length", b"%d" % len(call.body)))
        request = httpx.Request(
            call.method,
            self._base.copy_with(path=call.path),
            headers=headers,
            stream=httpx.ByteStream(call.body),
            extensions={"timeout": self._limits_s},
        )
        sent_ns = time.perf_counter_ns()
        response = await self._transport.handle_async_request(request)
        return _Answer(response.status_code, response.headers.raw, response.stream, sent_ns)

    def _headers_for(self, call: Call) -> list[tuple[bytes, bytes]]:
        accept = b"application/x-ndjson" if call.wants_stream else b"application/json"
        headers = [*self._headers, (b"Accept", accept)]
        if call.method == "POST":
            headers.append((b"Content-Type", b"application/json"))
        return headers

    async def _refusal(self, answer: _Answer, call: Call) -> TriollamaError:
        """The error that an answer stands for that does not suit.

        Raises:
            httpx.TransportError: the answer was cut, so nobody knows what it was to say.
        """
        if answer.status == 200:
            await discard(answer.stream)
            kind = answer.header(b"content-type")[:80].decode("ascii", "replace").partition(";")[0]
            shown = kind or "no content type"
            return ProtocolError(f"this is not an Ollama server: it answers with {shown}")
        sink = _ErrorSink()
        with suppress(TriollamaError):  # over its limit: the beginning is enough
            await pump(answer.stream, sink)
        return refusal(
            answer.status,
            b"".join(sink.pieces),
            endpoint=self.name,
            model=call.model,
            retry_after=answer.header(b"retry-after").decode("ascii", "replace"),
        )


class _ErrorSink:
    """Holds the body of an error, up to a limit."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._room = ERROR_BYTES_MAX

    def bind(self, flow: FlowControl) -> None:
        pass

    def feed(self, data: bytes) -> None:
        self.pieces.append(data[: self._room])
        self._room -= len(data)
        if self._room < 0:
            raise ProtocolError("the error's text is too long")


def _constant_headers(base: httpx.URL, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    own = [
        (b"Host", base.netloc),
        # Anything else would let a small answer become a large one.
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", b"triollama"),
    ]
    theirs = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    replaced = {name.lower() for name, _ in theirs}
    return [item for item in own if item[0].lower() not in replaced] + theirs
