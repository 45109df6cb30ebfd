"""How an asyncio task waits for the loop of a portal, which is in another thread.

If the task is cancelled, the work is cancelled as well, and waited for: its connection is closed
then, and the server has stopped. That is bounded, and not cut short by a second cancellation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from triollama_adapters.portal import Job, Portal

__all__ = ["END_S", "Bell", "call", "settle"]

T = TypeVar("T")

END_S: Final = 10.0
"""For work that was cancelled to end, before it is left to itself. The engine's own clean-ups are
bounded by 5 s, and need two turns of its loop."""


class Bell:
    """Wakes one task of the running asyncio loop. It may ring more often than it is waited for."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake who waits, or who will; in any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._wake)

    async def wait(self, is_done: Callable[[], bool]) -> None:
        """Wait until that is so; it is asked at first and after each ring."""
        while not is_done():
            self._future = self._loop.create_future()
            await self._future

    async def wait_through(self, is_done: Callable[[], bool]) -> None:
        """The same for `END_S` at most, and whatever is cancelled meanwhile."""
        until_s = self._loop.time() + END_S
        timer = self._loop.call_at(until_s, self._wake)
        while not is_done() and self._loop.time() < until_s:
            with suppress(asyncio.CancelledError):  # the caller raises the one that it has
                self._future = self._loop.create_future()
                await self._future
        timer.cancel()

    def _wake(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


async def call(portal: Portal, work: Callable[[], Awaitable[T]]) -> T:
    """Have something done in the portal's loop, and wait for it.

    Raises:
        CancelledError: this task was cancelled; the work has ended since.
        EngineClosedError: the engine is closed.
        BaseException: what the work raised.
    """
    bell = Bell()
    job = Job(work, bell.ring)
    await settle(portal, job, bell, lambda: job.is_done)
    return job.result()


async def settle(portal: Portal, job: Job[Any], bell: Bell, is_settled: Callable[[], bool]) -> None:
    """Hand a job in, and wait for it.

    Args:
        portal: where to.
        job: rings the bell.
        bell: what this task waits for.
        is_settled: what it waits for to become true.

    Raises:
        CancelledError: this task was cancelled; the job has ended since.
    """
    portal.submit(job)
    try:
        await bell.wait(is_settled)
    except asyncio.CancelledError:
        if portal.soon(job.cancel):
            await bell.wait_through(lambda: job.is_done)
        raise
    except BaseException:  # the task is thrown away with its loop: nothing can be waited for
        portal.soon(job.cancel)
        raise
