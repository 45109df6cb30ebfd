"""Bodies that are sent as they are read, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from triollama.wire.reactor import Reactor
from triollama.wire.transport import WireTransport, open_wire_transport

PIECE = bytes(range(256)) * 1_024
"""Of 256 KiB."""

Serve = Callable[[trio.SocketStream], Awaitable[None]]


class Pieces(httpx.AsyncByteStream):
    """A body of so many pieces, counted as they are taken."""

    def __init__(self, count: int, *, then: Exception | None = None) -> None:
        self.taken = 0
        self._count = count
        self._then = then

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.taken == self._count:
            if self._then is not None:
                raise self._then
            raise StopAsyncIteration
        self.taken += 1
        return PIECE


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """A server on a loopback port; its URL."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}/api/blobs/x"
        nursery.cancel_scope.cancel()


def posted(url: str, body: httpx.AsyncByteStream, size: int) -> httpx.Request:
    """An upload."""
    headers = {"Content-Length": str(size), "Host": "h"}
    return httpx.Request("POST", url, headers=headers, stream=body)


@pytest.fixture(params=["reactor", "tasks"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[WireTransport]:
    """Both kinds of connections."""
    if request.param == "reactor" and Reactor.is_supported():
        async with open_wire_transport() as opened:
            yield opened
    else:
        async with WireTransport() as opened:
            yield opened


async def read_head(stream: trio.SocketStream) -> bytes:
    """The bytes of a request up to its body, and what came with them."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += await stream.receive_some(65_536)
    return got


CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


async def test_it_arrives_whole_and_the_connection_is_used_again(
    transport: WireTransport,
) -> None:
    """Its length is told, once; the next request goes the same way."""
    got: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        for _ in range(2):
            head, _, body = (await read_head(stream)).partition(b"\r\n\r\n")
            assert head.lower().count(b"content-length: 2621440") == 1
            while len(body) < 10 * len(PIECE):
                body += await stream.receive_some(65_536)
            got.append(body)
            await stream.send_all(CREATED)

    async with serving(serve) as url:
        for _ in range(2):
            request = posted(url, Pieces(10), 10 * len(PIECE))
            response = await transport.handle_async_request(request)
            assert response.status_code == 201
            await response.aclose()
        [numbers] = transport.statistics().values()
        assert (numbers.opened, numbers.reused, numbers.in_use) == (1, 1, 0)
    assert got == [PIECE * 10] * 2


async def test_it_is_read_no_faster_than_it_is_sent(transport: WireTransport) -> None:
    """Of a server that does not read, some buffers are filled, and no more is held here."""
    body = Pieces(1_000)

    async def serve(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(serve) as url:
        request = posted(url, body, 1_000 * len(PIECE))
        with trio.move_on_after(0.15):
            await transport.handle_async_request(request)
        assert 0 < body.taken < 100
        [numbers] = transport.statistics().values()
        assert numbers.in_use == 0


@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request"])
async def test_an_early_answer_ends_it(transport: WireTransport, status: bytes) -> None:
    """A server that has it, or does not want it, answers first; that connection is not reused."""
    body = Pieces(1_000)

    async def serve(stream: trio.SocketStream) -> None:
        await read_head(stream)
        await stream.send_all(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        await trio.sleep_forever()  # and reads no more, nor closes

    async with serving(serve) as url:
        request = posted(url, body, 1_000 * len(PIECE))
        with trio.fail_after(5):
            response = await transport.handle_async_request(request)
        assert response.status_code == int(status[:3])
        await response.aclose()
        assert body.taken < 100
        [numbers] = transport.statistics().values()
        assert (numbers.in_use, numbers.idle) == (0, 0)


@pytest.mark.parametrize(("count", "told"), [(3, "longer"), (1, "shorter")])
async def test_a_body_of_another_length(transport: WireTransport, count: int, told: str) -> None:
    """Too much is not sent; too little is not waited for."""

    async def serve(stream: trio.SocketStream) -> None:
        async for _ in stream:
            pass

    async with serving(serve) as url:
        request = posted(url, Pieces(count), 2 * len(PIECE))
        with trio.fail_after(5), pytest.raises(httpx.LocalProtocolError, match=told):
            await transport.handle_async_request(request)
        [numbers] = transport.statistics().values()
        assert (numbers.in_use, numbers.idle) == (0, 0)


async def test_what_the_body_raises_comes_out_as_it_is(transport: WireTransport) -> None:
    """And closes the connection, so that the server knows that it is not whole."""
    closed = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        try:
            async for _ in stream:
                pass
        except trio.BrokenResourceError:
            pass
        closed.set()

    async with serving(serve) as url:
        body = Pieces(2, then=ZeroDivisionError("the file is gone"))
        with pytest.raises(ZeroDivisionError):
            await transport.handle_async_request(posted(url, body, 3 * len(PIECE)))
        with trio.fail_after(5):
            await closed.wait()


async def test_a_server_that_hangs_up(transport: WireTransport) -> None:
    """Not the failing write is told, but that the connection was lost."""

    async def serve(stream: trio.SocketStream) -> None:
        await read_head(stream)
        await stream.aclose()

    async with serving(serve) as url:
        with trio.fail_after(5), pytest.raises(httpx.TransportError):
            await transport.handle_async_request(posted(url, Pieces(1_000), 1_000 * len(PIECE)))


async def test_a_piece_that_is_not_taken(transport: WireTransport) -> None:
    """The limit for writing holds for each piece."""

    async def serve(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(serve) as url:
        request = posted(url, Pieces(1_000), 1_000 * len(PIECE))
        request.extensions["timeout"] = {"write": 0.1}
        with pytest.raises(httpx.WriteTimeout):
            await transport.handle_async_request(request)
