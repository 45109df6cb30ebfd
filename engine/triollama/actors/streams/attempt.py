"""One try of a call on one endpoint: send it, and let the answer flow into an inflow.

`EndpointAccess` is the edge to the transports: ours is spoken to directly, with a head that is
encoded once per route; any other through `httpx.AsyncBaseTransport`. Both give an `_Answer`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

import httpx

from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import EndpointError, ProtocolError, RequestRejectedError, TriollamaError
from triollama._frozen import frozen_for_checker
from triollama.actors.streams.core import refusal
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.messages import Call
from triollama.wire.exchange import Exchange
from triollama.wire.failures import translate
from triollama.wire.flow import FlowControl
from triollama.wire.pump import discard, pump
from triollama.wire.transport import Route, WireTransport

ERROR_BYTES_MAX = 64 * 1024
"""Of the body of an error; Ollama's are below 1 KiB."""

_CONTENT_TYPES = (b"application/x-ndjson", b"application/json")

_Headers = Iterable[tuple[bytes, bytes]]


@frozen_for_checker
class _Answer:
    """The head of a response, and its body on its way."""

    status: int
    headers: _Headers
    stream: object
    sent_ns: int

    def header(self, name: bytes) -> bytes:
        """The first value of a header, by its lower-case name; empty if there is none."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return b""


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
        """What `attempt` needs to send at once, if it can; it must follow at once.

        Then all that it waits for is the answer, and `Exchange.fail` is enough to end that.
        """
        transport = self._transport
        if not isinstance(transport, WireTransport):
            return None
        return transport.begin(self._route(transport, call), call.body)

    async def attempt(self, call: Call, inflow: Inflow, exchange: Exchange | None = None) -> None:
        """Send the call; returns when the answer is whole and its body has ended.

        If cancelled, the connection is closed, so that the server stops generating.

        Args:
            call: what to send.
            inflow: where the answer goes.
            exchange: what `begin` gave for this call.

        Raises:
            EndpointError: the endpoint failed.
            RequestRejectedError: it refused the request.
        """
        inflow.sent_ns = time.perf_counter_ns()
        try:
            stream = await self._open(call, inflow, exchange)
            await pump(stream, inflow)
            inflow.finish()
        except httpx.TransportError as error:
            raise translate(error, self.name) from error
        except (EndpointError, RequestRejectedError) as error:
            error.endpoint = self.name
            raise

    async def _open(self, call: Call, inflow: Inflow, exchange: Exchange | None) -> object:
        """The body of the answer; the rest of the response is not kept while it flows."""
        transport = self._transport
        if isinstance(transport, WireTransport):
            answer = await self._send_directly(transport, call, exchange)
        else:
            answer = await self._send(call)
        inflow.sent_ns = answer.sent_ns
        if answer.status != 200:
            raise await self._refusal(answer, call)
        kind = answer.header(b"content-type")
        if not kind.startswith(_CONTENT_TYPES):
            await discard(answer.stream)
            shown = kind[:80].decode("ascii", "replace").partition(";")[0] or "no content type"
            raise ProtocolError(f"this is not an Ollama server: it answers with {shown}")
        return answer.stream

    async def _send_directly(
        self, transport: WireTransport, call: Call, exchange: Exchange | None
    ) -> _Answer:
        route = self._route(transport, call)
        response = await transport.send(route, call.body, self._limits_s, exchange)
        return _Answer(response.status, response.headers, response.stream, response.sent_ns)

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
        """The error that the answer stands for.

        Raises:
            httpx.TransportError: the answer was cut, so nobody knows what it was to say.
        """
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
