"""Requests of one turn leave together; what the kernel does not take at once follows."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from triollama.wire.outbox import TOGETHER_BYTES_MAX, TOGETHER_MAX, Outbox
from triollama.wire.reactor import Reactor


@attrs.define
class FakeSender:
    """Takes so many bytes at once, and notes what it is given."""

    log: list[str]
    name: str = "a"
    takes: int = 1_000

    def write(self, data: bytes) -> bytes:
        """Take a part."""
        self.log.append(f"{self.name} {data[: self.takes].decode()}")
        return data[self.takes :]

    async def write_rest(self, data: bytes) -> None:
        """Take the rest."""
        await trio.lowlevel.checkpoint()
        self.log.append(f"{self.name} rest {data.decode()}")


@pytest.fixture
async def outbox() -> AsyncIterator[Outbox]:
    """One that runs."""
    box = Outbox()
    async with trio.open_nursery() as nursery:
        await nursery.start(box.run)
        yield box
        nursery.cancel_scope.cancel()


async def test_what_is_put_in_one_turn_leaves_in_order_at_its_end(outbox: Outbox) -> None:
    """Not before, and each once."""
    log: list[str] = []
    for turn in range(3):
        for name in "abc":
            outbox.put(FakeSender(log, name), b"%d" % turn)
        assert len(log) == 3 * turn
        await trio.testing.wait_all_tasks_blocked()
    assert log == [f"{name} {turn}" for turn in range(3) for name in "abc"]


async def test_a_full_one_is_sent_at_once(outbox: Outbox) -> None:
    """So that the server has work while the rest is made."""
    log: list[str] = []
    for number in range(2 * TOGETHER_MAX + 1):
        outbox.put(FakeSender(log), b"%d" % number)
        assert len(log) == (number + 1) // TOGETHER_MAX * TOGETHER_MAX
    await trio.testing.wait_all_tasks_blocked()
    assert len(log) == 2 * TOGETHER_MAX + 1


async def test_what_is_not_taken_at_once_follows(outbox: Outbox) -> None:
    """In a task of its own: nobody waits for it."""
    log: list[str] = []
    outbox.put(FakeSender(log, "slow", takes=2), b"abcd")
    outbox.put(FakeSender(log, "quick"), b"abcd")
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["slow ab", "quick abcd", "slow rest cd"]


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Any, socket.socket]]:
    """A connection of a running reactor with a small buffer, and its other end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0.0)
    theirs.settimeout(0.0)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    reactor = Reactor()
    async with trio.open_nursery() as nursery:
        await nursery.start(reactor.run)
        with theirs:
            yield reactor.adopt(ours), theirs
        nursery.cancel_scope.cancel()


async def drain(sock: socket.socket, count: int) -> int:
    """Read until so many bytes came or nothing more comes; returns how many did."""
    taken = 0
    while taken < count:
        await trio.testing.wait_all_tasks_blocked(0.01)
        try:
            data = sock.recv(count)
        except BlockingIOError:
            return taken
        if not data:
            break
        taken += len(data)
    return taken


@pytest.mark.skipif(not Reactor.is_supported(), reason="no epoll")
@pytest.mark.parametrize("size", [10, TOGETHER_BYTES_MAX, TOGETHER_BYTES_MAX + 1, 300_000])
async def test_all_of_a_request_arrives(pair: Any, size: int) -> None:
    """Whatever its size, and however little the socket takes at a time."""
    connection, theirs = pair
    async with trio.open_nursery() as nursery:
        if size > TOGETHER_BYTES_MAX:
            nursery.start_soon(connection.send, bytes(size))
        else:
            connection.send_soon(bytes(size))
        assert await drain(theirs, size) == size
    assert not connection._is_sending


@pytest.mark.skipif(not Reactor.is_supported(), reason="no epoll")
async def test_what_is_given_up_in_its_turn_is_not_sent(pair: Any) -> None:
    """The connection is closed before the outbox comes to it."""
    connection, theirs = pair
    connection.send_soon(b"x")
    connection.close()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert theirs.recv(1) == b""


@pytest.mark.skipif(not Reactor.is_supported(), reason="no epoll")
@pytest.mark.parametrize("size", [1, TOGETHER_BYTES_MAX])
async def test_an_answer_before_all_is_sent_ends_the_connection(pair: Any, size: int) -> None:
    """What is left to send belongs to the old request: no other one may follow it."""
    connection, theirs = pair
    kept: list[object] = []
    connection.on_release = kept.append
    connection.send_soon(bytes(size))
    if size > 1:
        await trio.testing.wait_all_tasks_blocked(0.01)
    connection.release()
    assert connection.is_closed
    assert not kept
    assert await drain(theirs, size) < size
