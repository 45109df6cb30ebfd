"""The engine's objects for blocking programs: methods that wait, ``with`` blocks, iterators."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from triollama import Engine, EngineClosedError
from triollama_adapters.blocking.waiting import END_S, call, get, settle
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
from triollama_adapters.portal.bell import Bell
from triollama_adapters.portal.block import Lease
from triollama_adapters.portal.mirror import READ_AHEAD
from triollama_adapters.portal.pump import Failure
from triollama_adapters.portal.texts import reading_in_threads
from triollama_adapters.portal.words import without_async

__all__ = ["MIRRORS"]


class Waits(Mirror):
    """The methods of an object wait in the thread that calls them."""

    @classmethod
    def told(cls, doc: str | None) -> str | None:
        """See `Mirror`."""
        return None if doc is None else without_async(doc)

    def adapt(self, name: str, value: Any) -> Any:
        """Texts are read in a thread: what gives them may block, or call the engine itself."""
        if name == "texts" and isinstance(value, Iterable):
            return reading_in_threads(value)
        return value

    @classmethod
    def coroutine_method(cls, name: str) -> Callable[..., Any]:
        """One that waits."""

        def method(self: Waits, *args: Any, **kwargs: Any) -> Any:
            given = self._call(functools.partial(getattr(self._native, name), *args, **kwargs))
            return self._with_late(given) if name == "collect" else given

        return method

    def _call(self, work: Callable[[], Any]) -> Any:
        self._portal.check()
        self._stop_reading()
        return self._wrap(call(self._portal, work))

    def _with_late(self, collected: Any) -> Any:
        """What was collected, with what an interrupted iteration had taken before."""
        return collected

    def _stop_reading(self) -> None:
        """What reads ahead stops, because something else is to read."""


class Iterates(Waits):
    """An iterator; it takes from the engine exactly what it gives."""

    _late: deque[Any]

    def settle(self, native: Any, portal: Portal, lease: Lease | None = None) -> None:
        """See `Mirror`."""
        super().settle(native, portal, lease)
        self._late = deque()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._late:
            return self._late.popleft()
        bell = Bell()
        job = Job(self._take, bell.ring)
        try:
            settle(self._portal, job, bell, lambda: job.is_done)
        except BaseException:
            if job.has_value and job.result() is not END:
                self._late.append(job.result())  # nothing is lost
            raise
        item = job.result()
        if item is END:
            raise StopIteration
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

    _items: SimpleQueue[Any]
    _pump: Pump | None = None
    _job: Job[Any] | None = None

    def __next__(self) -> Any:
        pump = self._pump or self._start_reading()
        item = get(self._items)
        if pump.is_full and pump.has_room:
            self._portal.soon(pump.go_on)
        if item is END:
            self._items.put(END)
            raise StopIteration
        if type(item) is Failure:
            if item.is_last:
                self._items.put(item)
            item.throw()
        return item

    def _start_reading(self) -> Pump:
        items = self._items = SimpleQueue[Any]()
        pump = Pump(self._native, items.put, items.qsize)
        job = Job(pump.run, lambda: _tell_end(job, items))
        self._portal.submit(job)
        self._pump, self._job = pump, job
        if self._lease is not None:
            self._lease.block.reader = job
        return pump

    def _stop_reading(self) -> None:
        job, self._job, self._pump = self._job, None, None
        if job is None or job.is_done:
            return
        bell = Bell()
        job.wake = bell.ring
        if self._portal.soon(job.cancel):
            bell.wait(lambda: job.is_done)


def _tell_end(job: Job[Any], items: SimpleQueue[Any]) -> None:
    """A pump that the end of the loop has ended has told nobody."""
    if job.error is not None and not isinstance(job.error, JobCancelledError):
        items.put(Failure(job.error))
    elif job.error is not None:
        items.put(END)


class Opens(Waits):
    """A ``with`` block; it is entered by a ``for`` loop as well, and left when that is."""

    def __enter__(self) -> Any:
        bell = Bell()
        block: Block[Any] = Block(self._native, bell.ring)
        settle(self._portal, block.task, bell, lambda: block.is_entered)
        value = block.value()
        self._lease = Lease(self._portal, block)
        if value is self._native:
            return self
        return self.mirrors.wrap(value, self._portal, self._lease)

    def __exit__(
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
        # The garbage collector may leave a generator in the loop's own thread.
        if not portal.soon(lease.block.leave) or portal.is_here:
            return
        try:
            bell.wait(lambda: task.is_done)
        except BaseException:
            portal.soon(task.cancel)
            raise
        if not isinstance(task.error, JobCancelledError | EngineClosedError | None):
            task.result()

    def __iter__(self) -> Iterator[Any]:
        if self._lease is not None and isinstance(self, Iterates):
            return self
        return self._within()

    def _within(self) -> Iterator[Any]:
        with self as value:
            yield from value


class Closes(Waits):
    """The engine itself."""

    def close(self) -> None:
        """Close the engine, as the end of its block does: what still runs has its ``grace_s``.

        For engines made by `start_engine`. Closing twice does nothing. Ctrl-C ends the grace.

        Raises:
            EngineFaultError: the engine had failed before.
        """
        self.end(at_once=False)

    def end(self, *, at_once: bool) -> None:
        """Close it, or stop it at once, and wait until it is over."""
        portal, bell = self._portal, Bell()
        if portal.is_over:
            return
        portal.when_over(bell.ring)
        try:
            portal.stop() if at_once else portal.close()
            bell.wait(lambda: portal.is_over)
        except BaseException:
            portal.stop()
            bell.wait(lambda: portal.is_over, time.monotonic() + END_S)
            raise
        portal.join(END_S)
        if portal.failure is not None and not at_once:
            raise portal.failure


class Awaits(Waits):
    """What is awaited in asynchronous programs."""

    def result(self) -> Any:
        """Begin it, and wait for its end: what ``await`` is in asynchronous programs.

        Ctrl-C stops it.
        """
        return self._call(self._whole)

    async def _whole(self) -> Any:
        return await self._native


def _bases_of(native: type) -> tuple[type[Mirror], ...]:
    bases: list[type[Mirror]] = [Closes] if native is Engine else []
    if issubclass(native, AbstractAsyncContextManager):
        bases.append(Opens)
    if hasattr(native, "__await__"):
        bases.append(Awaits)
    if native.__name__ in READ_AHEAD:
        bases.append(ReadsAhead)
    elif hasattr(native, "__anext__"):
        bases.append(Iterates)
    return tuple(bases) or (Waits,)


MIRRORS = Mirrors(_bases_of, "triollama_adapters.blocking")
Waits.mirrors = MIRRORS
