"""Records from a thread, or another task, to a task: in bounded advance.

Owns what is in between, and nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

import trio

__all__ = ["Handoff"]

T = TypeVar("T")


class Handoff(Generic[T]):
    """One thread or task puts, one task takes. To be made in the latter's loop.

    Whoever puts and waits for its source holds nothing back: what it has put can be taken.

    Args:
        waiting_max: items that are put and not taken; then who puts waits.
    """

    def __init__(self, waiting_max: int) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._room = threading.Semaphore(waiting_max)
        self._items: deque[T] = deque()
        self._arrived = trio.Event()
        self._left = trio.Event()
        self._is_awaited = False
        self._is_ended = False
        self._is_closed = False

    def put(self, item: T) -> bool:
        """Hand an item over, in the thread; False if nobody wants any more. Waits for room."""
        self._room.acquire()
        if self._is_closed:
            return False
        self._items.append(item)
        self._wake()
        return True

    async def put_soon(self, item: T) -> None:
        """Hand an item over, in the loop. Waits for room; if cancelled, it was not handed over."""
        await trio.lowlevel.checkpoint()
        while not self._room.acquire(blocking=False):
            self._left = trio.Event()
            await self._left.wait()
        self._items.append(item)
        self._wake()

    def end(self) -> None:
        """Say that no more items come, from the thread or the loop."""
        self._is_ended = True
        self._wake()

    async def take(self, count_max: int) -> list[T] | None:
        """Wait for an item, and take all that are there; None at the end. Cancelled at any time.

        Args:
            count_max: so many at most.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._items:
            if self._is_ended and not self._items:
                await trio.lowlevel.cancel_shielded_checkpoint()
                return None
            await self._wait()
        taken = [self._items.popleft() for _ in range(min(count_max, len(self._items)))]
        self._room.release(len(taken))
        self._left.set()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return taken

    def close(self) -> None:
        """Let the thread go. Harmless when repeated."""
        self._is_closed = True
        self._room.release()

    async def _wait(self) -> None:
        self._arrived = trio.Event()
        self._is_awaited = True
        # What was put before that is seen here, what is put after it wakes.
        if not (self._items or self._is_ended):
            await self._arrived.wait()
        self._is_awaited = False

    def _wake(self) -> None:
        if self._is_awaited:
            self._is_awaited = False
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._tell_arrived)

    def _tell_arrived(self) -> None:
        self._arrived.set()  # the one that is waited for now, in the loop
