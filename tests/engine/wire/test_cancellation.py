"""Cancelled at each of its awaits in turn, a request leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import trio

from triollama.wire.reactor import Reactor
from triollama.wire.transport import open_wire_transport

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SENT_BYTES = 1_000_000
"""More than the loopback takes at once: sending has to wait."""

STEPS_MAX = 400
"""More awaits than any request here has."""


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when its task gives way for the n-th time.

    Args:
        step: n, from 1.
    """

    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self._left = step
        self._task: trio.lowlevel.Task | None = None

    def __enter__(self) -> trio.CancelScope:
        self._task = trio.lowlevel.current_task()
        trio.lowlevel.add_instrument(self)
        return self.scope.__enter__()

    def __exit__(self, *exc: object) -> bool | None:
        trio.lowlevel.remove_instrument(self)
        return self.scope.__exit__(*exc)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Called by trio."""
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self.scope.cancel()


async def dribble(peer: Any) -> None:
    """Answer in several pieces, with pauses, whatever is asked."""
    while True:
        await peer.request()
        await peer.send(CHUNKED[:20])
        await trio.sleep(0.0005)
        await peer.send(CHUNKED[20:] + b"1\r\na\r\n")
        for _ in range(3):
            await trio.sleep(0.0005)
            await peer.chunk(b"b" * 30_000)
        await peer.send(b"0\r\n\r\n")


async def pumped(client: Any, collected: Any) -> int:
    """Take the body through a sink that pauses once."""

    async def resume_soon() -> None:
        await trio.sleep(0.0005)
        sink.flow.resume()

    def brake(sink: Any) -> None:
        if len(sink.pieces) == 2:
            sink.flow.pause()
            helpers.start_soon(resume_soon)

    sink = collected(brake)
    async with trio.open_nursery() as helpers:
        _, stream = await client.open(bytes(SENT_BYTES))
        await stream.pump(sink)
    return len(sink.body)


async def iterated(client: Any, collected: Any) -> int:
    """Take the body by iteration, inside httpx's own machinery."""
    async with (
        _keep_open(client.transport) as transport,
        httpx.AsyncClient(transport=transport) as outer,
    ):
        response = await outer.post(client.url, content=bytes(SENT_BYTES))
        return len(response.content)


class _keep_open(httpx.AsyncBaseTransport):  # noqa: N801 - used like a function
    """A transport that outlives the httpx client around it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.handle_async_request = inner.handle_async_request

    async def aclose(self) -> None:
        """Leave the inner one open."""
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("is_warm", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("take", [pumped, iterated])
async def test_cancelled_at_each_await(
    bench: Any,
    client_of: Any,
    collected: Any,
    count_descriptors: Callable[[], int],
    quiet: Callable[[], Awaitable[None]],
    take: Callable[..., Awaitable[int]],
    *,
    is_warm: bool,
) -> None:
    """No permit, descriptor or socket is left, the server sees the end, the next request works."""
    url = await bench.serve(dribble)
    await quiet()
    before = count_descriptors()
    for step in range(1, STEPS_MAX):
        transport = bench.transport()
        client = client_of(transport, url)
        if is_warm:
            await client.post()
        with CancelAtStep(step) as scope:
            assert await take(client, collected) == 90_001
        for counts in transport.statistics().values():
            assert counts.in_use == 0, step
        assert len(await client.post()) == 90_001, step
        await transport.aclose()
        await quiet()
        assert count_descriptors() == before, step
        if bench.reactor is not None:
            assert bench.reactor.statistics().sockets == 0, step
        if not scope.cancelled_caught:
            break
    assert 2 < step < STEPS_MAX - 1


async def test_cancelled_in_line(bench: Any, client_of: Any, quiet: Any) -> None:
    """Who waits for room and leaves takes no place with it."""

    async def script(peer: Any) -> None:
        while True:
            await peer.request()
            await go_on.wait()
            await peer.answer()

    go_on = trio.Event()
    client = client_of(bench.limited(in_use_max=1), await bench.serve(script))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.post)
        await quiet()
        with trio.move_on_after(0.005) as scope:
            await client.post()
        assert scope.cancelled_caught
        go_on.set()
    assert (client.connections.in_use, client.connections.opened) == (0, 1)
    await client.post()


@pytest.mark.parametrize("bench", ["task"], indirect=True)
@pytest.mark.parametrize("has_epoll", [True, False])
async def test_leaving_the_transports_block_leaves_nothing(
    bench: Any,
    count_descriptors: Callable[[], int],
    quiet: Callable[[], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_epoll: bool,
) -> None:
    """Reactor, epoll and connections end with `open_wire_transport`, wherever it runs."""
    if has_epoll and not Reactor.is_supported():
        pytest.skip("no epoll")
    monkeypatch.setattr(Reactor, "is_supported", lambda: has_epoll)
    url = await bench.serve(dribble)
    await quiet()
    before = count_descriptors()
    async with open_wire_transport() as transport:
        request = httpx.Request("GET", url)
        response = await transport.handle_async_request(request)
        assert len(await response.aread()) == 90_001
        [counts] = transport.statistics().values()
        assert counts.idle == 1
        assert count_descriptors() > before
    await quiet()
    assert count_descriptors() == before


async def _abandoned() -> AsyncIterator[bytes]:
    yield b"x"
    raise LookupError("the caller's own")


async def test_a_request_body_that_fails_opens_nothing(bench: Any, client_of: Any) -> None:
    """An error in the caller's own iterator comes out before any connection is made."""
    client = client_of(bench.transport(), await bench.serve(dribble))
    with pytest.raises(LookupError):
        await client.post(_abandoned())
    assert client.transport.statistics() == {}
    assert bench.peers == []
