"""Delivering a response's body to a sink, whichever transport it came from."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import httpx
import trio

from triollama.wire.flow import ByteSink
from triollama.wire.transport import WireResponseStream

CLOSE_S = 1.0
"""For closing another transport's response; ours never waits."""


async def pump(stream: object, sink: ByteSink) -> None:
    """Deliver a response's body to `sink`; returns when it has ended cleanly.

    From `WireTransport` the body comes in plain function calls; any other transport's is iterated
    here, one wake-up of this task per piece. If cancelled, the response is closed.

    Raises:
        httpx.TransportError: the connection broke, or the framing is wrong.
        TriollamaError: the sink refused the body.
    """
    if isinstance(stream, WireResponseStream):
        await stream.pump(sink)
        return
    assert isinstance(stream, httpx.AsyncByteStream)
    flow = _IteratedFlow()
    sink.bind(flow)
    pieces = aiter(stream)
    try:
        async for data in pieces:
            flow.received_ns = time.perf_counter_ns()
            sink.feed(data)
            await flow.wait_running()
    finally:
        with trio.move_on_after(CLOSE_S, shield=True):
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()  # closing the stream does not finish its generator
            await stream.aclose()


async def discard(stream: object) -> None:
    """Close a response's body that nobody wants any more. Not interrupted by cancellation."""
    assert isinstance(stream, httpx.AsyncByteStream)
    with trio.move_on_after(CLOSE_S, shield=True):
        await stream.aclose()


class _IteratedFlow:
    """Back-pressure for a body that is iterated: while paused, no further piece is asked for."""

    def __init__(self) -> None:
        self.received_ns = 0
        self.sent_ns = 0
        self._running: trio.Event | None = None

    def pause(self) -> None:
        if self._running is None:
            self._running = trio.Event()

    def resume(self) -> None:
        if self._running is not None:
            self._running.set()
            self._running = None

    async def wait_running(self) -> None:
        while self._running is not None:
            await self._running.wait()
