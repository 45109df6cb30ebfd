"""The engine's objects for asyncio programs: coroutine methods, blocks and iterators."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterable, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from types import TracebackType
from typing import Any, Self

import trio

from triollama import EngineClosedError
from triollama_adapters.aio.abroad import Home
from triollama_adapters.aio.waiting import Bell, call, settle
from triollama_adapters.portal import (
    END,
    Block,
    Job,
    JobCancelledError,
    Mirror,
    Mirrors,
    Portal,
    Pump,
)
from triollama_adapters.portal.block import Lease
from triollama_adapters.portal.mirror import READ_AHEAD
from triollama_adapters.portal.pump import AHEAD_MAX, Failure
from triollama_adapters.portal.texts import reading_in_threads

__all__ = ["MIRRORS"]


class Waits(Mirror):
    """The coroutine methods of an object wait in the asyncio loop that runs them."""

    def adapt(self, name: str, value: Any) -> Any:
        """Async functions and iterators run in the asyncio loop, plain iterators in a thread."""
        if name == "tools":
            if not isinstance(value, list | tuple):
                return value
            home = Home()
            return [home.tool(each) for each in value]
        if isinstance(value, AsyncIterable):
            return Home().iterator(value)
        return reading_in_threads(value) if isinstance(value, Iterable) else value

    @classmethod
    def coroutine_method(cls, name: str) -> Callable[..., Any]:
        """One that waits in the running asyncio loop."""

        async def method(self: Waits, *args: Any, **kwargs: Any) -> Any:
            do = getattr(self._native, name)
            given = await self._call(functools.partial(do, *args, **kwargs))
            return self._with_late(given) if name == "collect" else given

        return method

    async def _call(self, work: Callable[[], Any]) -> Any:
        await self._stop_reading()
        return self._wrap(await call(self._portal, work))

    def _with_late(self, collected: Any) -> Any:
        """What was collected, with what a cancelled iteration had taken before."""
        return collected

    async def _stop_reading(self) -> None:
        """What reads ahead stops, because something else is to read."""


class Iterates(Waits):
    """An asynchronous iterator; it takes from the engine exactly what it gives."""

    _late: deque[Any]

    def settle(self, native: Any, portal: Portal, lease: Lease | None = None) -> None:
        """See `Mirror`."""
        super().settle(native, portal, lease)
        self._late = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._late:
            return self._late.popleft()
        bell = Bell()
        job = Job(self._take, bell.ring)
        try:
            await settle(self._portal, job, bell, lambda: job.is_done)
        except BaseException:
            if job.has_value and job.result() is not END:
                self._late.append(self._wrap(job.result()))  # nothing is lost
            raise
        item = job.result()
        if item is END:
            raise StopAsyncIteration
        return self._wrap(item)

    def _with_late(self, collected: Any) -> Any:
        if isinstance(collected, list):
            collected[:0] = self._late
        self._late.clear()
        return collected

    async def _take(self) -> Any:
        try:
            return await anext(self._native)
        except StopAsyncIteration:
            return END


class ReadsAhead(Iterates):
    """An iterator that is read some chunks ahead, so that bursts need one wake-up."""

    _items: deque[Any]
    _pump: Pump | None = None
    _job: Job[Any] | None = None
    _loop: asyncio.AbstractEventLoop
    _waiter: asyncio.Future[None] | None = None
    _is_waiting = False
    _unyielded = 0

    async def __anext__(self) -> Any:
        pump = self._pump or self._start_reading()
        items = self._items
        if self._unyielded >= AHEAD_MAX:  # others want to run, too, and to be heard
            self._unyielded = 0
            await asyncio.sleep(0)
        while not items:
            await self._wait()
        self._unyielded += 1
        item = items.popleft()
        if pump.is_full and pump.has_room:
            self._portal.soon(pump.go_on)
        if item is END:
            items.append(END)
            raise StopAsyncIteration
        if type(item) is Failure:
            if item.is_last:
                items.append(item)
            item.throw()
        return item

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise trio.BusyResourceError("another task is reading this stream")
        self._loop = asyncio.get_running_loop()
        self._waiter = self._loop.create_future()
        self._is_waiting = True
        self._unyielded = 0
        try:
            if not self._items:  # an item may have come before it was said that one is waited for
                await self._waiter
        finally:
            self._is_waiting = False
            self._waiter = None

    def _put(self, item: Any) -> None:
        """Called in the portal's loop."""
        self._items.append(item)
        if self._is_waiting:
            self._is_waiting = False
            with suppress(RuntimeError):  # the asyncio loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _start_reading(self) -> Pump:
        self._items = deque()
        pump = Pump(self._native, self._put, self._items.__len__)
        job = Job(pump.run, lambda: self._tell_end(job))
        self._portal.submit(job)
        self._pump, self._job = pump, job
        if self._lease is not None:
            self._lease.block.reader = job
        return pump

    def _tell_end(self, job: Job[Any]) -> None:
        """A pump that the end of the loop has ended has told nobody."""
        if job.error is not None and not isinstance(job.error, JobCancelledError):
            self._put(Failure(job.error))
        elif job.error is not None:
            self._put(END)

    async def _stop_reading(self) -> None:
        job, self._job, self._pump = self._job, None, None
        if job is None or job.is_done:
            return
        bell = Bell()
        job.wake = bell.ring
        if self._portal.soon(job.cancel):
            await bell.wait(lambda: job.is_done)


class Opens(Waits):
    """An ``async with`` block."""

    async def __aenter__(self) -> Any:
        bell = Bell()
        block: Block[Any] = Block(self._native, bell.ring)
        await settle(self._portal, block.task, bell, lambda: block.is_entered)
        value = block.value()
        self._lease = Lease(self._portal, block)
        if value is self._native:
            return self
        return self.mirrors.wrap(value, self._portal, self._lease)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        lease, portal = self._lease, self._portal
        if lease is None or lease.block.task.is_done:
            return
        task, bell = lease.block.task, Bell()
        task.wake = bell.ring
        if not portal.soon(lease.block.leave):
            return
        try:
            # Of asyncio, which has no scopes; what it waits for is bounded.
            await bell.wait(lambda: task.is_done)  # noqa: ASYNC102
        except asyncio.CancelledError:
            portal.soon(task.cancel)
            await bell.wait_through(lambda: task.is_done)  # noqa: ASYNC102
            raise
        if not isinstance(task.error, JobCancelledError | EngineClosedError | None):
            task.result()


class Awaits(Waits):
    """What can be awaited as a whole."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._call(self._whole).__await__()

    async def _whole(self) -> Any:
        return await self._native


def _bases_of(native: type) -> tuple[type[Mirror], ...]:
    bases: list[type[Mirror]] = []
    if issubclass(native, AbstractAsyncContextManager):
        bases.append(Opens)
    if hasattr(native, "__await__"):
        bases.append(Awaits)
    if native.__name__ in READ_AHEAD:
        bases.append(ReadsAhead)
    elif hasattr(native, "__anext__"):
        bases.append(Iterates)
    return tuple(bases) or (Waits,)


MIRRORS = Mirrors(_bases_of, "triollama_adapters.aio")
Waits.mirrors = MIRRORS
