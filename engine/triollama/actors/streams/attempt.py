"""One try of a call on one endpoint: send it, and let the answer flow into an inflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

import httpx

from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import EndpointError, ProtocolError, RequestRejectedError, TriollamaError
from triollama.actors.streams.core import refusal
from triollama.actors.streams.inflow import AnyInflow
from triollama.actors.streams.messages import Call
from triollama.wire.failures import translate
from triollama.wire.flow import FlowControl
from triollama.wire.pump import pump

ERROR_BYTES_MAX = 64 * 1024
"""Of the body of an error; Ollama's are below 1 KiB."""

_CONTENT_TYPES = ("application/x-ndjson", "application/json")


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
        self._urls: dict[str, httpx.URL] = {}
        self._headers = _constant_headers(self._base, endpoint.headers)
        self._extensions = {"timeout": {"connect": config.connect_s, "pool": config.connect_s}}

    async def attempt(self, call: Call, inflow: AnyInflow) -> None:
        """Send the call; returns when the answer is whole and its body has ended.

        If cancelled, the connection is closed, so that the server stops generating.

        Raises:
            EndpointError: the endpoint failed.
            RequestRejectedError: it refused the request.
        """
        inflow.sent_ns = time.perf_counter_ns()
        try:
            response = await self._transport.handle_async_request(self._request(call))
            inflow.sent_ns = response.extensions.get("sent_ns", inflow.sent_ns)
            if response.status_code != 200:
                raise await self._refusal(response, call)
            self._check_type(response)
            await pump(response, inflow)
            inflow.finish()
        except httpx.TransportError as error:
            raise translate(error, self.name) from error
        except (EndpointError, RequestRejectedError) as error:
            error.endpoint = self.name
            raise

    def _request(self, call: Call) -> httpx.Request:
        url = self._urls.get(call.path)
        if url is None:  # a handful of paths exist
            url = self._urls[call.path] = self._base.copy_with(path=call.path)
        accept = b"application/x-ndjson" if call.wants_stream else b"application/json"
        headers = [*self._headers, (b"Accept", accept)]
        if call.method == "POST":
            length = b"%d" % len(call.body)
            headers += ((b"Content-Type", b"application/json"), (b"Content-Length", length))
        return httpx.Request(
            call.method,
            url,
            headers=headers,
            stream=httpx.ByteStream(call.body),
            extensions=self._extensions,
        )

    def _check_type(self, response: httpx.Response) -> None:
        kind = response.headers.get("Content-Type", "")
        if not kind.startswith(_CONTENT_TYPES):
            shown = kind.partition(";")[0][:80] or "no content type"
            raise ProtocolError(f"this is not an Ollama server: it answers with {shown}")

    async def _refusal(self, response: httpx.Response, call: Call) -> TriollamaError:
        sink = _ErrorSink()
        # The status says enough: what came of the body is used.
        with suppress(httpx.TransportError, TriollamaError):
            await pump(response, sink)
        return refusal(
            response.status_code,
            b"".join(sink.pieces),
            endpoint=self.name,
            model=call.model,
            retry_after=response.headers.get("Retry-After"),
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
