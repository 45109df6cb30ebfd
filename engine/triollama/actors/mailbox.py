"""How actors are spoken to: a bounded mailbox, and a slot for one reply."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs
import trio

T = TypeVar("T")


@attrs.frozen
class MailboxStatistics:
    """A mailbox's fill.

    Attributes:
        waiting: messages not yet taken.
        capacity: the most that can wait.
        refused: messages that found it full.
    """

    waiting: int
    capacity: int
    refused: int


class Mailbox(Generic[T]):
    """A bounded queue of messages to one actor.

    It outlives a crash of the actor: what was not yet handled waits for the restarted one.

    Args:
        capacity: the most messages that can wait.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._refused = 0
        self._send, self._receive = trio.open_memory_channel[T](capacity)

    def tell_nowait(self, message: T) -> bool:
        """Leave a message; False if the mailbox is full. Never waits."""
        try:
            self._send.send_nowait(message)
        except trio.WouldBlock:
            self._refused += 1
            return False
        return True

    async def tell(self, message: T) -> None:
        """Leave a message, waiting for room. If cancelled, the message was not left."""
        await self._send.send(message)

    async def receive(self) -> T:
        """The next message. If cancelled, none was taken."""
        return await self._receive.receive()

    def statistics(self) -> MailboxStatistics:
        """A snapshot."""
        waiting = self._receive.statistics().current_buffer_used
        return MailboxStatistics(waiting, self._capacity, self._refused)


class ReplySlot(Generic[T]):
    """Room for one answer, and one task that waits for it."""

    __slots__ = ("_event", "_value")

    def __init__(self) -> None:
        self._event = trio.Event()
        self._value: T | None = None

    @property
    def is_filled(self) -> bool:
        """Whether the answer is there."""
        return self._event.is_set()

    def fill(self, value: T) -> None:
        """Give the answer. Only the first one counts."""
        if not self._event.is_set():
            self._value = value
            self._event.set()

    async def wait(self) -> T:
        """Wait for the answer. If cancelled, it may be there all the same: see `take`."""
        await self._event.wait()
        assert self._value is not None
        return self._value

    def take(self) -> T | None:
        """The answer if it is there."""
        return self._value
