"""A body reaches its sink, whichever transport it came from."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio

from triollama._errors import ProtocolError
from triollama.wire.pump import pump


class Foreign(httpx.AsyncByteStream):
    """Another transport's body: a generator that must be closed.

    Attributes:
        asked: how many pieces were asked for.
        is_closed: whether `aclose` was called.
        is_finished: whether the generator's own clean-up ran.
    """

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self._pieces = pieces
        self._error = error
        self.asked = 0
        self.is_closed = False
        self.is_finished = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for piece in self._pieces:
                self.asked += 1
                await trio.lowlevel.checkpoint()
                yield piece
            if self._error is not None:
                raise self._error
        finally:
            self.is_finished = True

    async def aclose(self) -> None:
        """See httpx."""
        await trio.lowlevel.checkpoint()
        self.is_closed = True


async def test_our_own_body_is_pumped(bench: Any, client_of: Any, collected: Any) -> None:
    """From the wire, in plain calls."""
    response, _ = await client_of(bench.transport(), await bench.serve()).open(b"body")
    sink = collected()
    await pump(response.stream, sink)
    assert sink.body == b"body"


async def test_a_foreign_body_is_iterated(collected: Any) -> None:
    """Piece by piece, stamped, then closed."""
    stream = Foreign(b"a", b"b", b"c")
    sink = collected()
    before_ns = time.perf_counter_ns()
    await pump(stream, sink)
    assert sink.pieces == [b"a", b"b", b"c"]
    assert before_ns < sink.stamps[0] < sink.stamps[2] < time.perf_counter_ns()
    assert stream.is_closed


async def test_a_foreign_body_need_not_be_a_generator(collected: Any) -> None:
    """A plain iterator has nothing of its own to close; its response has."""

    class Once(Foreign):
        def __aiter__(self) -> Once:
            return self

        async def __anext__(self) -> bytes:
            await trio.lowlevel.checkpoint()
            self.asked += 1
            if self.asked > 1:
                raise StopAsyncIteration
            return b"all"

    stream = Once()
    sink = collected()
    await pump(stream, sink)
    assert (sink.body, stream.is_closed) == (b"all", True)


async def test_a_foreign_body_can_be_paused(collected: Any) -> None:
    """While paused, no further piece is asked for; pausing and resuming twice is fine."""
    stream = Foreign(b"a", b"b")

    def brake(sink: Any) -> None:
        sink.flow.pause()
        sink.flow.pause()

    sink = collected(brake)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump, stream, sink)
        await trio.testing.wait_all_tasks_blocked()
        assert (stream.asked, sink.pieces) == (1, [b"a"])
        sink.on_feed = None
        sink.flow.resume()
        sink.flow.resume()
    assert sink.pieces == [b"a", b"b"]


async def test_a_foreign_bodys_error_comes_out(collected: Any) -> None:
    """After what had come, and the response is closed."""
    stream = Foreign(b"a", error=httpx.ReadError("gone"))
    sink = collected()
    with pytest.raises(httpx.ReadError, match="gone"):
        await pump(stream, sink)
    assert sink.body == b"a"
    assert stream.is_closed


async def test_a_sink_that_refuses_a_foreign_body_closes_it(collected: Any) -> None:
    """The rest is not asked for, and the generator is not left to the collector."""

    def refuse(_: object) -> None:
        raise ProtocolError("no")

    stream = Foreign(b"a", b"b")
    with pytest.raises(ProtocolError):
        await pump(stream, collected(refuse))
    assert (stream.asked, stream.is_closed, stream.is_finished) == (1, True, True)


async def test_cancelling_closes_a_foreign_body(collected: Any) -> None:
    """Also while it is paused."""
    stream = Foreign(b"a", b"b")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            sink = collected(lambda sink: sink.flow.pause())
            nursery.start_soon(pump, stream, sink)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert (stream.is_closed, stream.is_finished) == (True, True)
