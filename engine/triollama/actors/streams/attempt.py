"""One try of a call on one endpoint: send it, and let the answer flow into an inflow.

`EndpointAccess` is the edge to the transports. Ours is spoken to directly: the head is encoded once
per route, and the body goes to the inflow as soon as a head comes that suits it. From any other,
behind `httpx.AsyncBaseTransport`, the response is taken piece by piece.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

import attrs
import httpx
import trio

from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import (
    AccessDeniedError,
    EndpointError,
    ProtocolError,
    RequestRejectedError,
    TriollamaError,
)
from triollama.actors.streams.core import refusal
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.halt import Halt
from triollama.actors.streams.messages import Call, Upload
from triollama.wire.failures import translate
from triollama.wire.flow import FlowControl
from triollama.wire.pump import discard, pump
from triollama.wire.transport import Route, WireResponseStream, WireTransport
from triollama.wire.upload import SizedStream

ERROR_BYTES_MAX = 64 * 1024
"""Of the body of an error; Ollama's are below 1 KiB."""

_WITH_BODY = frozenset({"POST", "DELETE"})

_DONE = frozenset({200, 201})

_CONTENT_TYPES = (b"application/x-ndjson", b"application/json")

_Headers = Iterable[tuple[bytes, bytes]]

_E = TypeVar("_E", bound=TriollamaError)


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
        self._wire = transport if isinstance(transport, WireTransport) else None
        self._headers = _constant_headers(self._base, _given_headers(endpoint))
        self._endpoint = endpoint
        self._secrets: tuple[str, ...] = ()  # beside those of the configuration
        self._limits_s = {"connect": config.connect_s, "pool": config.connect_s}
        self._routes: dict[tuple[str, str, bool], Route] = {}

    @property
    def host(self) -> str:
        """The host of its address."""
        return self._base.host

    async def attempt(self, call: Call, inflow: Inflow, halt: Halt | None = None) -> None:
        """Send the call; returns when the answer is whole and its body has ended.

        If cancelled or halted, the connection is closed, so that the server stops generating.

        Raises:
            EndpointError: the endpoint failed.
            RequestRejectedError: it refused the request.
            TriollamaError: the reason of `halt`.
        """
        halt = halt or Halt()
        inflow.sent_ns = time.perf_counter_ns()
        try:
            if call.upload is not None:
                await halt.guarded(partial(self._send_upload, call, call.upload, inflow))
            elif self._wire is not None:
                await self._exchange(self._wire, call, inflow, halt)
            else:
                await halt.guarded(partial(self._iterate, call, inflow))
            inflow.finish()
        except httpx.TransportError as error:
            raise self._told(translate(error, self.name), call) from error
        except (EndpointError, RequestRejectedError) as error:
            error.endpoint = self.name
            self._told(error, call)
            raise

    async def _exchange(self, wire: WireTransport, call: Call, inflow: Inflow, halt: Halt) -> None:
        """An attempt over our own transport. Once it is sent, only the answer is waited for."""
        route = self._route(wire, call)
        exchange = wire.begin(route, call.body)
        if exchange is None:
            exchange = await halt.guarded(partial(wire.open, route, call.body, self._limits_s))
        inflow.sent_ns = exchange.sent_ns
        exchange.expect(inflow, _suits)
        halt.watch(exchange)
        try:
            head = await exchange.wait_taken()
            if head is not None:
                stream = WireResponseStream(exchange, read_s=None)
                raise await self._refusal(_Answer(head.status, head.headers, stream), call)
        finally:
            halt.watch(None)
            exchange.abort()

    async def _iterate(self, call: Call, inflow: Inflow) -> None:
        """An attempt over any other transport."""
        response = await self._transport.handle_async_request(self._request(call))
        answer = _Answer(response.status_code, response.headers.raw, response.stream)
        if not _suits(answer):
            raise await self._refusal(answer, call)
        await pump(response.stream, inflow)

    async def _send_upload(self, call: Call, upload: Upload, inflow: Inflow) -> None:
        """An attempt whose body is read while it is sent. Any type of answer suits it."""
        stream = await trio.to_thread.run_sync(upload.open)
        try:
            request = self._request(call, stream)
            response = await self._transport.handle_async_request(request)
        finally:
            stream.close()
        answer = _Answer(response.status_code, response.headers.raw, response.stream)
        if answer.status != 200:
            raise await self._refusal(answer, call)
        await pump(response.stream, inflow)

    async def order(self, call: Call, upload: SizedStream | None = None) -> int:
        """Send what is answered by a status alone, and return that.

        If cancelled, the connection is closed.

        Args:
            call: the call.
            upload: in place of its body: one that is read while it is sent.

        Raises:
            EndpointError: the endpoint failed.
            RequestRejectedError: it refused the request.
        """
        try:
            request = self._request(call, upload)
            response = await self._transport.handle_async_request(request)
            is_told = response.status_code in _DONE or (
                call.method == "HEAD" and response.status_code == 404
            )
            if is_told:
                await discard(response.stream)
                return response.status_code
            answer = _Answer(response.status_code, response.headers.raw, response.stream)
            raise await self._refusal(answer, call)
        except httpx.TransportError as error:
            raise self._told(translate(error, self.name), call) from error
        except (EndpointError, RequestRejectedError) as error:
            error.endpoint = error.endpoint or self.name
            self._told(error, call)
            raise

    def _told(self, error: _E, call: Call) -> _E:
        """The same error, fit to be read: it says what is missing, and no secret."""
        endpoint = self._endpoint
        has_secrets = endpoint.auth is not None or bool(endpoint.headers)
        if has_secrets or isinstance(error, AccessDeniedError):
            from triollama.auth.telling import tell  # noqa: PLC0415 - needed after failures only

            tell(
                error,
                endpoint.url,
                auth=endpoint.auth,
                headers=endpoint.headers,
                path=call.path,
                secrets=self._secrets,
            )
        return error

    def _route(self, transport: WireTransport, call: Call) -> Route:
        key = (call.method, call.path, call.wants_stream)
        route = self._routes.get(key)
        if route is None:  # a handful exist
            url = self._base.copy_with(path=call.path)
            headers, has_body = self._headers_for(call), call.method == "POST"
            route = transport.route(call.method, url, headers, has_body=has_body)
            self._routes[key] = route
        return route

    def _request(self, call: Call, upload: SizedStream | None = None) -> httpx.Request:
        headers = self._headers_for(call)
        if call.method in _WITH_BODY:
            size_bytes = len(call.body) if upload is None else upload.size_bytes
            headers.append((b"Content-Length", b"%d" % size_bytes))
        return httpx.Request(
            call.method,
            self._base.copy_with(path=call.path),
            headers=headers,
            stream=httpx.ByteStream(call.body) if upload is None else upload,
            extensions={"timeout": self._limits_s},
        )

    def _headers_for(self, call: Call) -> list[tuple[bytes, bytes]]:
        accept = b"application/x-ndjson" if call.wants_stream else b"application/json"
        headers = [*self._headers, (b"Accept", accept)]
        if call.method == "POST":
            kind = b"application/json" if call.upload is None else call.upload.content_type
            headers.append((b"Content-Type", kind))
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
        with suppress(_EnoughError):
            await pump(answer.stream, sink)
        return refusal(
            answer.status,
            b"".join(sink.pieces),
            endpoint=self.name,
            model=call.model,
            retry_after=answer.header(b"retry-after").decode("ascii", "replace"),
        )


class _EnoughError(TriollamaError):
    """The beginning of an error's text is enough."""


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
            raise _EnoughError


def _given_headers(endpoint: EndpointConfig) -> Mapping[str, str]:
    """What its configuration says; what a function gives is added for each token."""
    value = "" if endpoint.auth is None else endpoint.auth.header()
    return {**endpoint.headers, "Authorization": value} if value else endpoint.headers


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
