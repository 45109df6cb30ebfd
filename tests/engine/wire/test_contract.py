"""One contract for the reactor, the task path, and the task path with TLS.

Every test runs on all three. The server is a raw socket whose script the test writes.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from triollama._errors import EngineFaultError, ProtocolError, TriollamaError
from triollama.wire.exchange import ConnectionLostEarly
from triollama.wire.failures import translate
from triollama.wire.http1 import CutShortError
from triollama.wire.transport import PULL_BYTES_HIGH

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024

Quiet = Callable[[], Awaitable[None]]


# ---- requests and answers


async def test_a_request_is_answered(bench: Any, client_of: Any) -> None:
    """Head and body arrive as they were sent."""
    url = await bench.serve()
    client = client_of(bench.transport(), url)
    response, stream = await client.open(b"hello")
    assert response.status_code == 200
    assert response.headers["content-length"] == "5"
    assert [data async for data in stream] == [b"hello"]
    [(head, body)] = bench.peers[0].requests
    assert head.startswith(b"POST /api HTTP/1.1\r\n")
    assert body == b"hello"


async def test_the_body_is_pumped_into_a_sink(bench: Any, client_of: Any, collected: Any) -> None:
    """Piece after piece, each with the stamp of its arrival, the early ones included."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"3\r\none\r\n")
        await go_on.wait()
        await peer.chunk(b"two")
        await peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    go_on = trio.Event()
    url = await bench.serve(script)
    before_ns = time.perf_counter_ns()
    _, stream = await client_of(bench.transport(), url).open()
    sink = collected(lambda sink: go_on.set())
    await stream.pump(sink)
    assert sink.pieces == [b"one", b"two"]
    first_ns, second_ns = sink.stamps
    assert before_ns < first_ns < second_ns < time.perf_counter_ns()


async def test_many_pieces_arrive_in_order(bench: Any, client_of: Any) -> None:
    """A thousand chunks, each on its own, are one body, pumped or iterated."""

    async def script(peer: Any) -> None:
        while True:
            await peer.request()
            await peer.send(CHUNKED)
            for number in range(1000):
                await peer.chunk(b"%d," % number)
            await peer.send(b"0\r\n\r\n")

    client = client_of(bench.transport(), await bench.serve(script))
    expected = b"".join(b"%d," % number for number in range(1000))
    assert await client.post() == expected
    response, _ = await client.open()
    assert b"".join([data async for data in response.aiter_raw()]) == expected
    assert client.connections.opened == 1


async def test_large_bodies_pass_both_ways(bench: Any, client_of: Any) -> None:
    """Sending has to wait for the server, and receiving for the reader."""
    client = client_of(bench.transport(), await bench.serve())
    body = bytes(range(256)) * (3 * MIB // 256)
    assert await client.post(body) == body
    assert client.connections.idle == 1


async def test_a_streamed_request_body_gets_a_length(bench: Any, client_of: Any) -> None:
    """What httpx would send in chunks is sent as a whole, framed by its length."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    client = client_of(bench.transport(), await bench.serve())
    async with aclosing(pieces()) as content:
        assert await client.post(content) == b"abcd"
    head, _ = bench.peers[0].requests[0]
    assert b"transfer-encoding" not in head.lower()


@pytest.mark.parametrize("declared", [None, "1", "9"])
async def test_the_length_sent_is_the_bodys(bench: Any, declared: str | None) -> None:
    """A missing or wrong length cannot make the body look like another request."""
    url = await bench.serve()
    headers = {} if declared is None else {"Content-Length": declared}
    request = httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(b"four"))
    response = await bench.transport().handle_async_request(request)
    assert await response.aread() == b"four"


async def test_head_requests_do_not_wait_for_a_body(bench: Any, client_of: Any) -> None:
    """HEAD ends with the head; the next request works."""

    async def script(peer: Any) -> None:
        while True:
            head, _ = await peer.request()
            await peer.send(OK + b"Content-Length: 4\r\n\r\n")
            if not head.startswith(b"HEAD"):
                await peer.send(b"body")

    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post(method="HEAD") == b""
    assert await client.post() == b"body"


async def test_interim_responses_are_skipped(bench: Any, client_of: Any) -> None:
    """A 103 in a packet of its own is not the answer."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked(0.005)
        await peer.answer(b"final")
        await peer.wait_closed()

    client = client_of(bench.transport(), await bench.serve(script))
    response, stream = await client.open()
    assert response.status_code == 200
    assert [data async for data in stream] == [b"final"]


async def test_two_hundred_exchanges_run_at_once(bench: Any, client_of: Any) -> None:
    """Each gets its own answer."""
    client = client_of(bench.transport(), await bench.serve())
    answers: dict[int, bytes] = {}

    async def one(number: int) -> None:
        answers[number] = await client.post(b"%d" % number * 50)

    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(one, number)
    assert answers == {number: b"%d" % number * 50 for number in range(200)}
    assert client.connections.in_use == 0


# ---- reuse


async def test_a_connection_is_used_again_after_a_clean_end(bench: Any, client_of: Any) -> None:
    """Three requests, one connection."""
    client = client_of(bench.transport(), await bench.serve())
    for number in range(3):
        assert await client.post(b"%d" % number) == b"%d" % number
    counts = client.connections
    assert (counts.opened, counts.reused, counts.idle, counts.in_use) == (1, 2, 1, 0)


async def unread(client: Any, collected: Any) -> None:
    """Leave before the body has come."""
    _, stream = await client.open()
    await stream.aclose()


async def half_iterated(client: Any, collected: Any) -> None:
    """Leave after the first piece."""
    _, stream = await client.open()
    async with aclosing(stream.__aiter__()) as pieces:
        async for _ in pieces:
            break
    await stream.aclose()


async def cancelled_while_pumped(client: Any, collected: Any) -> None:
    """Be cancelled after the first piece."""
    _, stream = await client.open()
    with trio.CancelScope() as scope:
        await stream.pump(collected(lambda _: scope.cancel()))
    assert scope.cancelled_caught


@pytest.mark.parametrize("leave", [unread, half_iterated, cancelled_while_pumped])
async def test_leaving_early_closes_the_connection(
    bench: Any, client_of: Any, collected: Any, leave: Any
) -> None:
    """The server sees the end at once, and the next request gets another connection."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"3\r\none\r\n")
        if await peer.wait_closed():
            seen.set()

    seen = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    await leave(client, collected)
    with trio.fail_after(2):
        await seen.wait()
    counts = client.connections
    assert (counts.idle, counts.in_use) == (0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        OK + b"Content-Length: 2\r\n\r\nhi, and more",
        OK + b"Content-Length: 2\r\n\r\nhi" + OK + b"Content-Length: 3\r\n\r\nbad",
    ],
    ids=["Connection: close", "HTTP/1.0", "excess data", "a second response"],
)
async def test_a_connection_that_may_not_be_used_again_is_closed(
    bench: Any, client_of: Any, answer: bytes
) -> None:
    """The answer is good; the connection is not kept."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.wait_closed()

    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post() == b"hi"
    assert await client.post() == b"hi"
    counts = client.connections
    assert (counts.opened, counts.idle) == (2, 0)


async def test_data_that_comes_while_idle_closes_the_connection(
    bench: Any, client_of: Any, quiet: Quiet
) -> None:
    """What nobody asked for cannot become the answer to the next request."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.answer(b"good")
        await quiet()
        await peer.answer(b"evil")
        await peer.wait_closed()

    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post() == b"good"
    await quiet()
    await quiet()
    assert await client.post() == b"good"
    assert client.connections.opened == 2


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_connection_closed_while_idle_is_noticed_before_use(
    bench: Any, client_of: Any, quiet: Quiet, how: str
) -> None:
    """The next request opens a new one; the reactor notices as soon as it happens."""

    async def script(peer: Any) -> None:
        _, body = await peer.request()
        await peer.answer(body)
        if peer.number == 1:
            getattr(peer, how)()
        else:
            await peer.wait_closed()

    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post(b"1") == b"1"
    await quiet()
    if bench.reactor is not None:
        assert client.connections.idle == 0
        assert bench.reactor.statistics().sockets == 0
    assert await client.post(b"2") == b"2"
    counts = client.connections
    assert (counts.opened, counts.reused, counts.idle) == (2, 0, 1)


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_reused_connection_that_breaks_before_the_answer_is_stale(
    bench: Any, client_of: Any, how: str
) -> None:
    """The error says that the request may be sent again at once."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.answer(b"first")
        await peer.request()
        getattr(peer, how)()

    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post() == b"first"
    with pytest.raises(ConnectionLostEarly) as caught:
        await client.post()
    assert translate(caught.value, "gpu-1").stale
    assert client.connections.in_use == 0


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_fresh_connection_that_breaks_before_the_answer_is_not_stale(
    bench: Any, client_of: Any, how: str
) -> None:
    """A server that hangs up on a first request has lost it, and says so to no retry."""

    async def script(peer: Any) -> None:
        await peer.request()
        getattr(peer, how)()

    client = client_of(bench.transport(), await bench.serve(script))
    with pytest.raises((httpx.ReadError, CutShortError)) as caught:
        await client.post()
    assert not isinstance(caught.value, ConnectionLostEarly)
    error = translate(caught.value, "gpu-1")
    assert type(error).__name__ == "ConnectionLostError"
    assert not error.stale


async def test_a_reused_connection_that_breaks_in_the_answer_is_not_stale(
    bench: Any, client_of: Any
) -> None:
    """One byte of the answer is enough."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.answer(b"first")
        await peer.request()
        await peer.send(b"H")
        peer.close()

    client = client_of(bench.transport(), await bench.serve(script))
    await client.post()
    with pytest.raises(CutShortError):
        await client.post()


# ---- broken answers


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n\r\nbody", None])
async def test_a_body_cut_short_is_an_error(
    bench: Any, client_of: Any, how: str, framing: bytes | None
) -> None:
    """FIN or RST inside a body fails the exchange after what had come, pumped or iterated."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(OK + framing if framing else CHUNKED + b"4\r\nbody\r\n")
        await read.wait()
        getattr(peer, how)()

    read = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    _, stream = await client.open()
    got = []

    async def iterate() -> None:
        async for data in stream:
            got.append(data)
            read.set()

    with pytest.raises((httpx.ReadError, CutShortError)) as caught:
        await iterate()
    assert got == [b"body"]
    assert type(translate(caught.value, "")).__name__ == "ConnectionLostError"
    assert client.connections.in_use == 0


async def test_a_body_until_the_end_of_the_connection_is_whole(bench: Any, client_of: Any) -> None:
    """Without a frame the FIN is the end, and the connection is not kept."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(OK + b"\r\n" + b"all of it")
        peer.close()

    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post() == b"all of it"
    assert client.connections.idle == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        OK + b"Content-Encoding: gzip\r\n\r\n",
        OK + b"X: " + b"x" * 20_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        CHUNKED + b"nonsense",
    ],
    ids=["not HTTP", "gzip", "header bomb", "flood of 1xx", "bad chunk"],
)
async def test_what_is_not_http_fails_its_request_only(
    bench: Any, client_of: Any, answer: bytes
) -> None:
    """A protocol error, the connection closed, and another exchange untouched."""

    async def script(peer: Any) -> None:
        _, body = await peer.request()
        await peer.send(answer if body == b"bad" else CHUNKED)
        await bad_is_over.wait()
        await peer.send(b"4\r\ngood\r\n0\r\n\r\n")

    bad_is_over = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    _, other = await client.open(b"good")
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await client.post(b"bad")
    bad_is_over.set()
    assert isinstance(translate(caught.value, ""), ProtocolError)
    assert [data async for data in other] == [b"good"]


class _RefusedError(TriollamaError):
    """A sink's own error."""


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("error", "expected"),
    [(_RefusedError("no"), _RefusedError), (LookupError("bug"), EngineFaultError)],
)
async def test_a_sink_that_raises_ends_its_own_exchange(
    bench: Any,
    client_of: Any,
    collected: Any,
    pump_and_fail: Any,
    error: Exception,
    expected: type[Exception],
    *,
    early: bool,
) -> None:
    """Its own kind of error comes out as it is, a defect as `EngineFaultError`; others go on."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED + (b"1\r\nx\r\n" if early else b""))
        await attached.wait()
        await peer.send(b"1\r\ny\r\n")
        await peer.send(b"0\r\n\r\n")
        await peer.wait_closed()

    def refuse(_: object) -> None:
        raise error

    attached = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    _, good = await client.open()
    _, bad = await client.open()
    await trio.testing.wait_all_tasks_blocked(0.005)
    if not early:
        attached.set()
    raised = await pump_and_fail(bad, collected(refuse), expected)
    assert error in (raised, raised.__cause__)
    attached.set()
    sink = collected()
    await good.pump(sink)
    assert sink.body == (b"xy" if early else b"y")
    assert client.connections.in_use == 0


async def test_a_sink_may_refuse_a_body_that_came_whole(
    bench: Any, client_of: Any, collected: Any
) -> None:
    """The error counts although the connection has already been given back."""

    def refuse(_: object) -> None:
        raise _RefusedError

    client = client_of(bench.transport(), await bench.serve())
    _, stream = await client.open(b"all")
    with pytest.raises(_RefusedError):
        await stream.pump(collected(refuse))
    assert client.connections.idle == 1


@pytest.mark.parametrize("early", [True, False])
async def test_a_sink_may_end_its_exchange_while_it_is_fed(
    bench: Any, client_of: Any, collected: Any, *, early: bool
) -> None:
    """Even if the same read brings the end of the body, its place is given up exactly once."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"1\r\nx\r\n")
        await attached.wait()
        await peer.send(b"1\r\nx\r\n0\r\n\r\n")
        await peer.wait_closed()

    attached = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    _, stream = await client.open()

    def end(sink: Any) -> None:
        attached.set()
        if early or len(sink.pieces) == 2:
            stream.fail(_RefusedError())

    with pytest.raises(_RefusedError):
        await stream.pump(collected(end))
    counts = client.connections
    assert (counts.in_use, counts.idle) == (0, 0)


# ---- answers before the request was read


# Not with TLS: trio's TLS stream cannot be read after sending on it has failed.
@pytest.mark.parametrize("bench", ["reactor", "task"], indirect=True)
async def test_an_answer_before_the_request_was_read_is_heard(
    bench: Any, client_of: Any, quiet: Any
) -> None:
    """A server that refuses a large body and hangs up is not a broken connection."""

    async def script(peer: Any) -> None:
        await peer.head()
        refusal = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"
        await peer.send(refusal)
        await quiet()
        peer.close()

    client = client_of(bench.transport(), await bench.serve(script))
    response, stream = await client.open(bytes(8 * MIB))
    assert response.status_code == 413
    assert [data async for data in stream] == [b"big"]
    assert client.connections.idle == 0


# The task path reads only after it has sent.
@pytest.mark.parametrize("bench", ["reactor"], indirect=True)
async def test_a_connection_with_an_unsent_request_is_not_used_again(
    bench: Any, client_of: Any
) -> None:
    """After an early answer that promises to keep the connection, the rest is not sent."""

    async def script(peer: Any) -> None:
        if peer.number == 1:
            await peer.head()
            await peer.answer(b"early")
            await done.wait()
        else:
            await peer.request()
            await peer.answer(b"second")

    done = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    assert await client.post(bytes(8 * MIB)) == b"early"
    assert await client.post() == b"second"
    done.set()
    assert client.connections.opened == 2


async def test_a_connection_lost_while_sending_is_an_error(bench: Any, client_of: Any) -> None:
    """A server that dies under a large request fails it as a lost connection."""

    async def script(peer: Any) -> None:
        await peer.head()
        peer.reset()

    client = client_of(bench.transport(), await bench.serve(script))
    with pytest.raises((httpx.ReadError, httpx.WriteError, CutShortError)) as caught:
        await client.post(bytes(8 * MIB))
    assert type(translate(caught.value, "")).__name__ == "ConnectionLostError"
    assert client.connections.in_use == 0


# ---- back-pressure


BODY_BYTES = 32 * MIB
"""Far more than all buffers of the loopback together."""


async def endless(peer: Any) -> None:
    """Send 32 MiB as fast as it is taken; `requests` grows by one entry per 64 KiB."""
    await peer.request()
    await peer.send(OK + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES))
    for _ in range(BODY_BYTES // 65_536):
        await peer.send(bytes(65_536))
        peer.requests.append((b"", b""))
    await peer.wait_closed()


def sent_bytes(peer: Any) -> int:
    """What `endless` has got rid of."""
    return (len(peer.requests) - 1) * 65_536


async def test_a_reader_that_does_not_read_blocks_the_server(
    bench: Any, client_of: Any, quiet: Any
) -> None:
    """Nothing attached: little is held, and the server's send waits; then all of it comes."""
    client = client_of(bench.transport(), await bench.serve(endless))
    _, stream = await client.open()
    await quiet()
    blocked_at = sent_bytes(bench.peers[0])
    await quiet()
    assert sent_bytes(bench.peers[0]) == blocked_at < BODY_BYTES - 8 * MIB
    size = 0
    async for data in stream:
        assert len(data) <= PULL_BYTES_HIGH + 3 * 65_536
        size += len(data)
    assert size == BODY_BYTES


async def test_a_slow_iteration_blocks_the_server(bench: Any, client_of: Any, quiet: Any) -> None:
    """A reader that stops between two pieces has at most one mark of body held for it."""
    client = client_of(bench.transport(), await bench.serve(endless))
    _, stream = await client.open()
    async with aclosing(stream.__aiter__()) as pieces:
        await anext(pieces)
        await quiet()
        blocked_at = sent_bytes(bench.peers[0])
        await quiet()
        assert sent_bytes(bench.peers[0]) == blocked_at < BODY_BYTES - 8 * MIB
        held = await anext(pieces)
        assert len(held) <= PULL_BYTES_HIGH + 65_536
    await stream.aclose()


async def test_a_sink_pauses_and_resumes(
    bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """Paused, nothing more is fed; resumed, it goes on; both may be said twice."""

    def brake(sink: Any) -> None:
        sink.flow.pause()
        sink.flow.pause()

    client = client_of(bench.transport(), await bench.serve(endless))
    _, stream = await client.open()
    sink = collected(brake)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.pump, sink)
        await quiet()
        before = len(sink.body)
        await quiet()
        assert len(sink.body) == before
        if bench.reactor is not None:
            assert bench.reactor.statistics().paused == 1
        sink.flow.resume()
        sink.flow.resume()
        await quiet()
        assert before < len(sink.body) <= before + 2 * 65_536
        sink.on_feed = None
        sink.flow.resume()
    assert len(sink.body) == BODY_BYTES
    sink.flow.pause()  # over: without effect
    sink.flow.resume()
    assert client.connections.idle == 1
    if bench.reactor is not None:
        assert bench.reactor.statistics().paused == 0


async def test_a_sink_that_is_born_paused_stays_so(
    bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """A pause in `bind`, or while early bytes are fed, is not undone by them."""
    client = client_of(bench.transport(), await bench.serve(endless))
    _, stream = await client.open()
    await quiet()
    sink = collected(lambda sink: sink.flow.pause())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.pump, sink)
        await trio.testing.wait_all_tasks_blocked()
        early = len(sink.body)
        await quiet()
        assert len(sink.body) == early
        nursery.cancel_scope.cancel()


async def test_cancelling_a_paused_stream_closes_it(
    bench: Any, client_of: Any, collected: Any, quiet: Any
) -> None:
    """Out of the epoll set is not out of reach."""
    client = client_of(bench.transport(), await bench.serve(endless))
    _, stream = await client.open()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.pump, collected(lambda sink: sink.flow.pause()))
            await quiet()
            scope.cancel()
    assert client.connections.in_use == 0


# ---- ended from outside


async def test_fail_from_outside_ends_the_pump_with_that_error(
    bench: Any, client_of: Any, collected: Any, pump_and_fail: Any, quiet: Any
) -> None:
    """A watchdog's error is what the worker sees; the server sees the end; twice is once."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await peer.wait_closed()
        closed.set()

    closed = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    _, stream = await client.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump_and_fail, stream, collected(), _RefusedError)
        await quiet()
        stream.fail(_RefusedError())
        stream.fail(LookupError("too late"))
    with trio.fail_after(2):
        await closed.wait()
    assert client.connections.in_use == 0


async def test_fail_from_outside_while_paused(
    bench: Any, client_of: Any, collected: Any, pump_and_fail: Any, quiet: Any
) -> None:
    """A paused stream is woken just the same."""
    client = client_of(bench.transport(), await bench.serve(endless))
    _, stream = await client.open()
    sink = collected(lambda sink: sink.flow.pause())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump_and_fail, stream, sink, _RefusedError)
        await quiet()
        stream.fail(_RefusedError())


async def test_fail_after_the_end_has_no_effect(bench: Any, client_of: Any) -> None:
    """An exchange has one end; its connection may already serve another."""
    client = client_of(bench.transport(), await bench.serve())
    _, stream = await client.open(b"x")
    assert [data async for data in stream] == [b"x"]
    stream.fail(_RefusedError())
    await stream.aclose()
    assert await client.post(b"y") == b"y"
    assert client.connections.opened == 1


async def test_closing_a_response_wakes_who_iterates_it(
    bench: Any, client_of: Any, quiet: Any
) -> None:
    """Another task may close it; a body cut off so is an error, not an end."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"1\r\nx\r\n")
        await peer.wait_closed()

    client = client_of(bench.transport(), await bench.serve(script))
    _, stream = await client.open()
    got = []

    async def read() -> None:
        with pytest.raises(httpx.TransportError, match="closed here"):
            got.extend([data async for data in stream])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await quiet()
        await stream.aclose()


@pytest.mark.parametrize("stage", ["sending", "waiting", "pumping", "paused"])
async def test_closing_the_transport_fails_what_runs(
    bench: Any, client_of: Any, collected: Any, quiet: Any, stage: str
) -> None:
    """Wherever a request is, it ends with an error at once and leaves nothing."""

    async def script(peer: Any) -> None:
        if stage == "sending":
            await forever.wait()
        await peer.request()
        if stage != "waiting":
            await endless_body(peer)
        await forever.wait()

    async def endless_body(peer: Any) -> None:
        await peer.send(CHUNKED + b"1\r\nx\r\n")

    async def request() -> None:
        _, stream = await client.open(bytes(16 * MIB if stage == "sending" else 0))
        brake = (lambda sink: sink.flow.pause()) if stage == "paused" else None
        await stream.pump(collected(brake))

    async def run() -> None:
        with pytest.raises(httpx.TransportError):
            await request()

    forever = trio.Event()
    transport = bench.transport()
    client = client_of(transport, await bench.serve(script))
    with trio.fail_after(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await quiet()
            assert client.connections.in_use == 1
            await transport.aclose()
    assert client.connections.in_use == 0
    with pytest.raises(httpx.ConnectError, match="closed"):
        await client.post()


async def test_closing_the_transport_refuses_those_in_line(
    bench: Any, client_of: Any, quiet: Any
) -> None:
    """Who waits for room gets an error, not a connection that nobody closes."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.wait_closed()

    async def run() -> None:
        with pytest.raises(httpx.TransportError):
            await client.post()

    transport = bench.limited(in_use_max=1)
    client = client_of(transport, await bench.serve(script))
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(run)
        await quiet()
        await transport.aclose()
    counts = client.connections
    assert (counts.in_use, counts.opened) == (0, 1)


# ---- limits


async def test_connections_in_use_are_limited(bench: Any, client_of: Any, quiet: Any) -> None:
    """The third of three waits until one of two has ended, and then reuses its connection."""

    async def script(peer: Any) -> None:
        while True:
            _, body = await peer.request()
            await go_on.wait()
            await peer.answer(body)

    go_on = trio.Event()
    client = client_of(bench.limited(in_use_max=2), await bench.serve(script))
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(client.post, b"x")
        await quiet()
        assert len(bench.peers) == 2
        assert client.connections.in_use == 2
        go_on.set()
    assert len(bench.peers) == 2
    assert client.connections.reused == 1


async def test_idle_connections_are_limited(bench: Any, client_of: Any, quiet: Quiet) -> None:
    """Of three that end, the one that ended first is closed."""

    async def script(peer: Any) -> None:
        await peer.request()
        await turns[peer.number - 1].wait()
        await peer.answer()
        await peer.wait_closed()
        closed.append(peer.number)

    closed: list[int] = []
    turns = [trio.Event() for _ in range(3)]
    client = client_of(bench.limited(idle_max=2), await bench.serve(script))
    async with trio.open_nursery() as nursery:
        for _ in turns:
            nursery.start_soon(client.post)
        for turn in turns:
            await quiet()
            turn.set()
    await quiet()
    assert client.connections.idle == 2
    assert closed == [1]


async def test_idle_connections_expire(bench: Any, client_of: Any, mock_clock: MockClock) -> None:
    """At its limit a connection is used; past it, closed, by use or by `close_expired`."""
    transport = bench.limited(idle_s=60.0)
    client = client_of(transport, await bench.serve())
    await client.post()
    mock_clock.jump(60.0)
    await client.post()
    assert client.connections.reused == 1
    mock_clock.jump(60.001)
    await client.post()
    assert client.connections.opened == 2
    mock_clock.jump(60.0)
    transport.close_expired()
    assert client.connections.idle == 1
    mock_clock.jump(0.001)
    transport.close_expired()
    assert client.connections.idle == 0


# ---- time limits


async def silent(peer: Any) -> None:
    """Read a request and never answer."""
    await peer.request()
    await peer.wait_closed()


async def test_the_read_limit_covers_the_head(bench: Any, client_of: Any) -> None:
    """No head in time is a `ReadTimeout` with words, and the connection is closed."""
    client = client_of(bench.transport(), await bench.serve(silent))
    with pytest.raises(httpx.ReadTimeout, match=r"read took longer than 0\.02 s"):
        await client.post(timeout={"read": 0.02})
    assert client.connections.in_use == 0


async def test_the_read_limit_covers_each_wait_in_the_body(bench: Any, client_of: Any) -> None:
    """A body that stops is a `ReadTimeout` for whoever iterates it."""

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"1\r\nx\r\n")
        await peer.wait_closed()

    client = client_of(bench.transport(), await bench.serve(script))
    response, _ = await client.open(timeout={"read": 0.02})
    with pytest.raises(httpx.ReadTimeout):
        await response.aread()
    await response.aclose()
    assert client.connections.in_use == 0


async def test_the_write_limit_covers_sending(bench: Any, client_of: Any) -> None:
    """A server that does not read its request is a `WriteTimeout`."""

    async def script(peer: Any) -> None:
        await done.wait()

    done = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    with pytest.raises(httpx.WriteTimeout):
        await client.post(bytes(16 * MIB), timeout={"write": 0.05})
    done.set()
    assert client.connections.in_use == 0


async def test_the_pool_limit_covers_the_line(bench: Any, client_of: Any, quiet: Any) -> None:
    """No room in time is a `PoolTimeout`, whatever `connect` says."""
    client = client_of(bench.limited(in_use_max=1), await bench.serve(silent))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.post)
        await quiet()
        with pytest.raises(httpx.PoolTimeout):
            await client.post(timeout={"pool": 0.02, "connect": 0.001})
        assert client.connections.in_use == 1
        nursery.cancel_scope.cancel()
    assert client.connections.in_use == 0


# ---- inside httpx


async def test_it_serves_an_httpx_client(bench: Any) -> None:
    """Redirects, cookies, JSON, lines and early exits work as with httpx's own transport."""

    async def script(peer: Any) -> None:
        while True:
            head, body = await peer.request()
            if head.startswith(b"GET /old"):
                await peer.send(
                    b"HTTP/1.1 302 Found\r\nLocation: /new\r\n"
                    b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
                )
            elif head.startswith(b"GET /new"):
                cookie = b"yes" if b"cookie: a=b" in head.lower() else b"no"
                await peer.answer(
                    b'{"cookie": "%s"}' % cookie, b"Content-Type: application/json\r\n"
                )
            elif head.startswith(b"GET /lines"):
                await peer.send(CHUNKED)
                for line in (b"one\n", b"two\nthr", b"ee\n"):
                    await peer.chunk(line)
                await peer.send(b"0\r\n\r\n")
            else:
                await peer.answer(body)

    url = await bench.serve(script)
    async with httpx.AsyncClient(
        transport=bench.transport(), base_url=url, follow_redirects=True
    ) as client:
        response = await client.get("/old")
        assert response.json() == {"cookie": "yes"}
        assert (await client.post("/echo", json={"a": 1})).json() == {"a": 1}
        async with client.stream("GET", "/lines") as streamed:
            assert [line async for line in streamed.aiter_lines()] == ["one", "two", "three"]
        assert len(bench.peers) == 1
        files = {"file": ("name", b"content")}
        assert b"content" in (await client.post("/echo", files=files)).content
        async with client.stream("GET", "/lines") as left:
            assert left.status_code == 200
        assert response.http_version == "HTTP/1.1"
    # One more if the answer to the upload was whole before its last piece was known to be sent.
    assert len(bench.peers) <= 2


async def test_it_times_out_like_httpx(bench: Any) -> None:
    """The client's own time limits reach the wire."""
    url = await bench.serve(silent)
    async with httpx.AsyncClient(transport=bench.transport(), timeout=0.02) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)
