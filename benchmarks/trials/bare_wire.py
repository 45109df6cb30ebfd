"""The engine's wire without the engine: `WireTransport`, lines cut and decoded, and nothing else.

There is no pool, no limit, no deadline, no worker and no answer that is put together. What a reader
needs to be woken is here as barely as it can be: the trap of `parking`, a queue, no back-pressure.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx
import msgspec
import trio

from benchmarks.clients.lines import BODY
from benchmarks.measure import Tally
from benchmarks.plan import Plan
from triollama.api import ChatChunk, decode_chat_chunk
from triollama.wire.flow import FlowControl
from triollama.wire.ndjson import LineSplitter
from triollama.wire.parking import CANCELLED, make_trap, wake
from triollama.wire.transport import Route, WireTransport, open_wire_transport

_BODY = msgspec.json.encode(BODY)


@attrs.frozen
class Wire:
    """A transport, and the one kind of request that is sent on it."""

    transport: WireTransport
    route: Route

    async def pump(self, sink: Sink) -> None:
        """Send the request and let the answer flow into a sink; return at its end."""
        transport, route = self.transport, self.route
        exchange = transport.begin(route, _BODY) or await transport.open(route, _BODY, {})
        exchange.expect(sink, lambda head: head.status == 200)
        try:
            refused = await exchange.wait_taken()
            assert refused is None, refused
        finally:
            exchange.abort()


@asynccontextmanager
async def open_wire(plan: Plan) -> AsyncIterator[Wire]:
    """Connections to a load server, for the time of a block."""
    url = httpx.URL(plan.url).copy_with(path="/api/chat")
    headers = [(b"Host", url.netloc), (b"Content-Type", b"application/json")]
    async with open_wire_transport() as transport:
        yield Wire(transport, transport.route("POST", url, headers, has_body=True))


class Sink:
    """Cuts and decodes, and counts the text itself: no reader is woken."""

    def __init__(self, tally: Tally) -> None:
        self.is_open = False
        self._tally = tally
        self._splitter = LineSplitter()
        self._flow: FlowControl | None = None

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        self._flow = flow

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""
        flow = self._flow
        assert flow is not None
        if self._splitter.is_line(data):
            self.take(decode_chat_chunk(data, flow.received_ns))
        else:
            for line in self._splitter.feed(data):
                self.take(decode_chat_chunk(line, flow.received_ns))
        if not self.is_open:
            self.is_open = True
            self._tally.open += 1

    def take(self, chunk: ChatChunk) -> None:
        """Count a chunk."""
        self._tally.characters += len(chunk.content)
        self._tally.count += 1


class Handover(Sink):
    """Hands each chunk to a task that waits for it."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self._queue: deque[ChatChunk] = deque()
        self._task: trio.lowlevel.Task | None = None
        self._trap = make_trap(self._abort)

    def take(self, chunk: ChatChunk) -> None:
        """Wake the reader, or keep the chunk for it."""
        task, self._task = self._task, None
        if task is not None:
            wake(task, chunk)
        else:
            self._queue.append(chunk)

    @types.coroutine
    def next(self) -> Generator[object, Any, ChatChunk]:
        """Wait for the next chunk."""
        if self._queue:
            return self._queue.popleft()
        self._task = trio.lowlevel.current_task()
        given = yield self._trap
        if type(given) is CANCELLED:
            given.unwrap()
        chunk: ChatChunk = given
        return chunk

    def _abort(self, _raise: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED
