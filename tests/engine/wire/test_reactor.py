"""What only the reactor promises."""

from __future__ import annotations

import errno
import resource
import select
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from triollama._errors import EngineFaultError
from triollama.wire import reactor as reactor_module
from triollama.wire.exchange import Exchange
from triollama.wire.reactor import (
    ENDED_MAX,
    EVENTS_MAX,
    EVENTS_MIN,
    READ_BYTES,
    Reactor,
    ReactorConnection,
    ReactorStatistics,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

pytestmark = pytest.mark.skipif(not Reactor.is_supported(), reason="no epoll")


class Heard:
    """An exchange that only listens."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def received(self, data: bytes) -> None:
        """See `Exchange.received`."""
        self.heard.append(data)


async def hold(peer: Any) -> None:
    """Answer with an open body; end it when the client sends anything more."""
    await peer.request()
    await peer.send(CHUNKED + b"1\r\nx\r\n")
    await peer.wait_closed()


@pytest.mark.parametrize("stage", ["head", "body", "paused"])
async def test_when_the_reactor_ends_every_exchange_fails(
    reactor_bench: Any, client_of: Any, collected: Any, pump_and_fail: Any, quiet: Any, stage: str
) -> None:
    """Waiting for the head, for the body, or paused: `ReadError`, and nothing stays open."""

    async def script(peer: Any) -> None:
        await peer.request()
        if stage != "head":
            await peer.send(CHUNKED + b"1\r\nx\r\n")
        await peer.wait_closed()

    async def run() -> None:
        if stage == "head":
            with pytest.raises(httpx.ReadError, match="the reactor has stopped"):
                await client.open()
            return
        _, stream = await client.open()
        brake = (lambda sink: sink.flow.pause()) if stage == "paused" else None
        error = await pump_and_fail(stream, collected(brake), httpx.ReadError)
        assert str(error) == "the reactor has stopped"

    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(script))
    async with trio.open_nursery() as reactors, trio.open_nursery() as nursery:
        await reactors.start(bench.reactor.run)
        assert bench.reactor.is_running
        for _ in range(3):
            nursery.start_soon(run)
        await quiet()
        assert bench.reactor.statistics().sockets == 3
        reactors.cancel_scope.cancel()
    assert not bench.reactor.is_running
    assert bench.reactor.statistics().sockets == 0
    assert client.connections.in_use == 0


async def test_idle_connections_end_with_the_reactor(reactor_bench: Any, client_of: Any) -> None:
    """None is kept that nobody would watch."""
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve())
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.reactor.run)
        await client.post()
        assert client.connections.idle == 1
        nursery.cancel_scope.cancel()
    assert client.connections.idle == 0
    with pytest.raises(httpx.ConnectError, match="the reactor is not running"):
        await client.post()
    assert client.connections.in_use == 0


async def test_a_stream_may_be_steered_after_the_reactor_has_ended(
    reactor_bench: Any, client_of: Any, quiet: Any
) -> None:
    """Pausing and resuming what has failed does no harm."""
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(hold))
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.reactor.run)
        _, stream = await client.open()
        nursery.cancel_scope.cancel()
    exchange = stream._exchange
    exchange.pause()
    exchange.resume()
    assert exchange.is_over


async def test_a_defect_in_one_sink_leaves_the_reactor_running(
    reactor_bench: Any, client_of: Any, collected: Any, pump_and_fail: Any, quiet: Any
) -> None:
    """The reactor's own task is the one that calls the sink; it must survive it."""

    async def script(peer: Any) -> None:
        while True:
            await peer.request()
            await peer.send(CHUNKED)
            await go_on.wait()
            await peer.send(b"1\r\nx\r\n0\r\n\r\n")

    def fault(_: object) -> None:
        raise ZeroDivisionError

    go_on = trio.Event()
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(script))
    good = collected()
    async with trio.open_nursery() as reactors:
        await reactors.start(bench.reactor.run)
        async with trio.open_nursery() as nursery:
            streams = [(await client.open())[1] for _ in range(3)]
            nursery.start_soon(pump_and_fail, streams[0], collected(fault), EngineFaultError)
            nursery.start_soon(streams[1].pump, good)
            nursery.start_soon(pump_and_fail, streams[2], collected(fault), EngineFaultError)
            await quiet()
            go_on.set()
        assert good.body == b"x"
        assert await client.post() == b"x"
        reactors.cancel_scope.cancel()


async def test_an_exchange_may_end_another_of_the_same_turn(
    reactor_bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """Both sockets are ready; the first one's sink closes the second, which is then left alone."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await go_on.wait()
        await peer.chunk(b"x")
        await peer.wait_closed()

    def end_all(_: object) -> None:
        for stream in streams:
            stream.fail(httpx.ReadError("ended by its neighbour"))

    async def run(stream: Any) -> None:
        with pytest.raises(httpx.ReadError):
            await stream.pump(collected(end_all))
        ended.append(stream)

    go_on = trio.Event()
    ended: list[object] = []
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(script))
    async with trio.open_nursery() as reactors:
        await reactors.start(bench.reactor.run)
        streams = [(await client.open())[1] for _ in range(5)]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(run, stream)
            await quiet()
            go_on.set()
        assert len(ended) == 5
        assert bench.reactor.statistics().sockets == 0
        reactors.cancel_scope.cancel()


async def test_when_a_server_dies_its_streams_are_told_in_turns(
    reactor_bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """The first has its answer from elsewhere while many have not even heard."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await die.wait()

    async def run(stream: Any) -> None:
        with pytest.raises(httpx.TransportError):
            await stream.pump(collected())
        told.append(len(answered))
        await elsewhere.post()
        answered.append(stream)

    die = trio.Event()
    told: list[int] = []
    answered: list[object] = []
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(script))
    elsewhere = client_of(bench.transport(), await bench.serve())
    async with trio.open_nursery() as reactors:
        await reactors.start(bench.reactor.run)
        streams = [(await client.open())[1] for _ in range(20 * ENDED_MAX)]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(run, stream)
            await quiet()
            die.set()
        assert told[ENDED_MAX - 1] == 0
        assert told[-1] > 0
        reactors.cancel_scope.cancel()


@pytest.mark.parametrize("is_aborted", [False, True])
async def test_an_end_that_is_not_told_yet_may_be_overtaken(
    adopted: Any, *, is_aborted: bool
) -> None:
    """By whoever closes the connection, or by its flow: it ends once."""
    connection, theirs = adopted
    closed: list[object] = []
    connection.on_close = closed.append
    connection.exchange = Exchange(
        connection, is_head_request=False, is_reused=False, header_bytes_max=1_000
    )
    theirs.close()
    connection.read()
    assert connection.is_paused
    assert not connection.is_closed
    if is_aborted:
        connection.close()
    else:
        connection.resume()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert closed == [connection]


async def test_a_flood_does_not_starve_a_neighbour(
    reactor_bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """One read per socket and turn: a short answer overtakes a long one."""

    async def script(peer: Any) -> None:
        _, body = await peer.request()
        size = 16 * 1024 * 1024 if body == b"flood" else 5
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        await peer.wait_closed()

    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(script))
    flood = collected()
    async with trio.open_nursery() as reactors:
        await reactors.start(bench.reactor.run)
        async with trio.open_nursery() as nursery:
            _, stream = await client.open(b"flood")
            nursery.start_soon(stream.pump, flood)
            await client.post(b"short")
            assert len(flood.body) < 16 * 1024 * 1024
        assert max(map(len, flood.pieces)) <= READ_BYTES
        reactors.cancel_scope.cancel()


async def test_statistics_count_sockets_turns_and_reads(reactor_bench: Any, client_of: Any) -> None:
    """Numbers for a log line."""
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve())
    assert bench.reactor.statistics() == ReactorStatistics(0, 0, 0, 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.reactor.run)
        await client.post()
        counts = bench.reactor.statistics()
        assert (counts.sockets, counts.paused) == (1, 0)
        assert counts.turns >= 1
        assert counts.reads >= 1
        nursery.cancel_scope.cancel()


async def test_a_socket_that_finds_no_room_is_closed(reactor_bench: Any) -> None:
    """The system's limit on watched descriptors is a `ConnectError`, and leaks no socket."""

    class FullEpoll:
        def register(self, fd: int, events: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    reactor_bench.reactor._epoll = FullEpoll()
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(httpx.ConnectError, match="No space left"):
        reactor_bench.reactor.adopt(ours)
    assert ours.fileno() == -1
    assert reactor_bench.reactor.statistics().sockets == 0


@pytest.fixture
async def adopted(reactor_bench: Any) -> AsyncIterator[tuple[ReactorConnection, socket.socket]]:
    """An idle connection of a running reactor, and the socket at its other end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    async with trio.open_nursery() as nursery:
        await nursery.start(reactor_bench.reactor.run)
        with theirs:
            connection = reactor_bench.reactor.adopt(ours)
            yield connection, theirs
            connection.close()
        nursery.cancel_scope.cancel()


async def test_a_connection_without_a_set_closes_itself(adopted: Any) -> None:
    """Released to nobody, it is not left open; closing twice is closing once."""
    connection, _ = adopted
    assert connection.is_usable()
    connection.release()
    connection.close()
    assert connection.is_closed
    assert not connection.is_usable()


async def test_a_request_is_stamped_when_it_leaves(adopted: Any) -> None:
    """Not when it was made: those of one turn leave together, at its end."""
    connection, theirs = adopted
    exchange = connection.exchange = Exchange(
        connection, is_head_request=False, is_reused=False, header_bytes_max=1_000
    )
    made_ns = exchange.sent_ns
    connection.send_soon(b"GET")
    before_ns = time.perf_counter_ns()
    await trio.testing.wait_all_tasks_blocked()
    assert theirs.recv(3) == b"GET"
    assert made_ns < before_ns < exchange.sent_ns < time.perf_counter_ns()


@pytest.mark.parametrize("how", ["end", "data", "reset"])
async def test_the_kernel_is_asked_before_a_connection_is_used(adopted: Any, how: str) -> None:
    """What happened since the reactor's last turn is noticed too."""
    connection, theirs = adopted
    if how == "data":
        theirs.send(b"unasked")
    else:
        if how == "reset":
            connection._sock.send(b"never read")
        theirs.close()
    assert not connection.is_usable()
    assert connection.is_closed


@pytest.mark.parametrize(
    ("turn_s", "before", "after"), [(-1.0, EVENTS_MAX, EVENTS_MIN), (1e9, EVENTS_MIN, EVENTS_MAX)]
)
async def test_after_a_long_turn_fewer_are_taken(
    adopted: Any, monkeypatch: pytest.MonkeyPatch, turn_s: float, before: int, after: int
) -> None:
    """By halves, down to a few; and after short ones all again."""
    monkeypatch.setattr(reactor_module, "TURN_S", turn_s)
    connection, theirs = adopted
    reactor, exchange = connection._reactor, Heard()
    connection.exchange = exchange
    reactor._events_max = before
    for count in range(1, 8):
        theirs.send(b"x")
        with trio.fail_after(1):
            while len(exchange.heard) < count:
                await trio.lowlevel.checkpoint()
    assert reactor._events_max == after
    connection.exchange = None


async def test_a_wake_that_finds_nothing_to_read_is_harmless(adopted: Any) -> None:
    """A read that would block is no end and no error."""
    connection, _ = adopted
    connection.read()
    assert not connection.is_closed


def test_where_there_is_no_epoll_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS and Windows take the task path."""
    monkeypatch.delattr(select, "epoll")
    assert not reactor_module.Reactor.is_supported()


@pytest.mark.slow
async def test_a_thousand_streams_cost_one_task(
    reactor_bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """A thousand bodies end in step; the reactor's turns are far fewer than its reads."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2_500:
        if hard != resource.RLIM_INFINITY and hard < 2_500:
            pytest.skip("too few descriptors are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (2_500, hard))

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await go_on.wait()
        await peer.send(b"1\r\nx\r\n0\r\n\r\n")
        await peer.wait_closed()

    go_on = trio.Event()
    bench = reactor_bench
    client = client_of(bench.transport(), await bench.serve(script))
    sinks = [collected() for _ in range(1000)]
    async with trio.open_nursery() as reactors:
        await reactors.start(bench.reactor.run)
        async with trio.open_nursery() as nursery:
            streams = [(await client.open())[1] for _ in sinks]
            for stream, sink in zip(streams, sinks, strict=True):
                nursery.start_soon(stream.pump, sink)
            await quiet()
            before = bench.reactor.statistics()
            go_on.set()
        after = bench.reactor.statistics()
        assert all(sink.body == b"x" for sink in sinks)
        assert after.reads - before.reads >= 1000
        assert after.turns - before.turns < 200
        reactors.cancel_scope.cancel()
