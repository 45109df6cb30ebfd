"""What only the task path promises."""

from __future__ import annotations

import select
from typing import Any

import httpx
import pytest
import trio

from triollama.wire.task_connection import TaskConnection

plain = pytest.mark.parametrize("bench", ["task"], indirect=True)


@pytest.fixture
async def pair() -> tuple[TaskConnection, trio.SocketStream]:
    """An idle connection and the stream at its other end."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        ours = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        return TaskConnection(ours), await listener.accept()


async def test_a_connection_without_a_set_closes_itself(pair: Any) -> None:
    """Released to nobody, it is not left open; closing twice is closing once."""
    connection, theirs = pair
    async with theirs:
        connection.release()
        connection.close()
        assert connection.is_closed
        assert not connection.is_usable()


@pytest.mark.parametrize("has_poll", [True, False])
@pytest.mark.parametrize("happens", ["nothing", "data", "end"])
async def test_readiness_is_asked_of_the_system(
    pair: Any, monkeypatch: pytest.MonkeyPatch, happens: str, *, has_poll: bool
) -> None:
    """With ``poll``, and where there is only ``select``."""
    if not has_poll:
        monkeypatch.delattr(select, "poll")
    connection, theirs = pair
    async with theirs:
        if happens == "data":
            await theirs.send_all(b"unasked")
        elif happens == "end":
            await theirs.send_eof()
        await trio.sleep(0.005)
        assert connection.is_usable() is (happens == "nothing")
        connection.close()


@plain
async def test_bytes_read_while_it_was_ended_are_dropped(
    bench: Any, client_of: Any, collected: Any
) -> None:
    """`fail` between the read and its delivery: the sink gets nothing more."""

    class Overtaken:
        """A stream whose reader is overtaken by `fail` each time."""

        def __init__(self, inner: trio.SocketStream) -> None:
            self._inner = inner
            self.socket = inner.socket

        async def receive_some(self, count: int) -> bytes:
            data = await self._inner.receive_some(count)
            stream.fail(httpx.ReadError("stalled"))
            return data

    async def script(peer: Any) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await attached.wait()
        await peer.send(b"late")
        await peer.wait_closed()

    attached = trio.Event()
    client = client_of(bench.transport(), await bench.serve(script))
    _, stream = await client.open()
    connection = stream._exchange._connection
    connection._stream = Overtaken(connection._stream)
    attached.set()
    sink = collected()
    with pytest.raises(httpx.ReadError, match="stalled"):
        await stream.pump(sink)
    assert sink.body == b""
    counts = client.connections
    assert (counts.in_use, counts.idle) == (0, 0)
