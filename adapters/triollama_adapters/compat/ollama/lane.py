"""`Lane`: a client's engine in a thread, opened when it is first needed; and how one waits for it.

A client may be used from many threads, or from many tasks of any event loop: each call is a job of
its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import trio

from triollama import Engine, EngineClosedError, open_engine
from triollama_adapters.portal.bell import Bell
from triollama_adapters.portal.job import Job
from triollama_adapters.portal.loop import Portal

from .core import Core, Parts
from .settings import Settings

__all__ = ["Lane"]

T = TypeVar("T")

CLOSE_S = 1.0
"""For a transport to close its connections."""

Work = Callable[[Core], Awaitable[T]]


class Lane:
    """The way to one engine.

    Args:
        settings: what it is opened with.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._portal: Portal | None = None
        self._is_closed = False

    def close(self) -> None:
        """End the engine at once; what still runs fails. Does not wait. Again: nothing."""
        self._is_closed = True
        if self._portal is not None:
            self._portal.stop()

    def wait(self, work: Work[T]) -> T:
        """Do something and block until it is done; an interrupt cancels it.

        Raises:
            RuntimeError: the client is closed.
        """
        portal = self._open()
        bell = Bell()
        job = Job(self._bound(portal, work), bell.ring)
        self._submit(portal, job)
        try:
            bell.wait(lambda: job.is_done)
        except BaseException:
            portal.soon(job.cancel)
            raise
        return self._result(job)

    async def wait_async(self, work: Work[T]) -> T:
        """The same in a task of asyncio or trio. If that is cancelled, so is the work.

        Raises:
            RuntimeError: the client is closed.
        """
        portal = self._open()  # it takes some milliseconds, once
        if trio.lowlevel.in_trio_task():
            ended = trio.Event()
            token = trio.lowlevel.current_trio_token()
            job = Job(self._bound(portal, work), partial(_tell_trio, token, ended))
            waiting: Awaitable[object] = ended.wait()
        else:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            job = Job(self._bound(portal, work), partial(_tell_asyncio, loop, future))
            waiting = future
        self._submit(portal, job)
        try:
            await waiting
        except BaseException:
            portal.soon(job.cancel)
            raise
        return self._result(job)

    def parts(self, begin: Callable[[Core], Parts[T]]) -> Iterator[T]:
        """The parts of an answer, which is begun by who asks for the first one."""
        begun: list[Parts[T]] = []
        try:
            while parts := self.wait(partial(_next, begin, begun)):
                yield from parts
        finally:
            self._drop(begun)

    async def parts_async(self, begin: Callable[[Core], Parts[T]]) -> AsyncIterator[T]:
        """The same in a task of asyncio or trio."""
        begun: list[Parts[T]] = []
        try:
            while parts := await self.wait_async(partial(_next, begin, begun)):
                for part in parts:
                    yield part
        finally:
            self._drop(begun)

    # ---- inside

    def _bound(self, portal: Portal, work: Work[T]) -> Callable[[], Awaitable[T]]:
        return lambda: work(Core(portal.engine, self._settings))

    def _open(self) -> Portal:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the client is closed, and takes no request any more")
            # It is also over in a process that was forked of the one that opened it.
            if self._portal is None or self._portal.is_over:
                self._portal = _opened(self._settings)
            return self._portal

    def _submit(self, portal: Portal, job: Job[T]) -> None:
        try:
            portal.submit(job)
        except EngineClosedError as error:
            raise RuntimeError("the client is closed, and takes no request any more") from error

    def _drop(self, begun: Sequence[Parts[T]]) -> None:
        """Have a stream stopped that is not read any more. Does not wait."""
        portal = self._portal
        for parts in begun:
            if portal is None or portal.is_over:
                continue
            if portal.is_here:  # the collector of garbage runs anywhere
                trio.lowlevel.spawn_system_task(parts.close)
            else:
                with suppress(EngineClosedError):  # it has just ended by itself
                    portal.submit(Job(parts.close, _nobody))

    def _result(self, job: Job[T]) -> T:
        try:
            return job.result()
        except EngineClosedError as error:
            raise RuntimeError("the client was closed while this request ran") from error


async def _next(
    begin: Callable[[Core], Parts[T]], begun: list[Parts[T]], core: Core
) -> Sequence[T]:
    if not begun:
        begun.append(begin(core))
    return await begun[0].next()


def _opened(settings: Settings) -> Portal:
    """A portal whose engine is open."""
    portal = Portal(partial(_open_engine, settings))
    bell = Bell()
    opened: Job[Engine] = Job(_never, bell.ring)
    portal.start(opened)
    bell.wait(lambda: opened.is_done)
    opened.result()
    return portal


@asynccontextmanager
async def _open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """The engine; a transport is closed with it, as httpx closes those of its clients."""
    transport = settings.transport
    try:
        async with open_engine(
            *settings.endpoints, config=settings.config, transport=transport
        ) as engine:
            yield engine
    finally:
        if transport is not None:
            with trio.move_on_after(CLOSE_S, shield=True):
                await transport.aclose()


async def _never() -> Engine:
    raise AssertionError("the portal ends this job, which is never begun")


def _nobody() -> None:
    """Whom the end of a stream that was left is told."""


def _tell_trio(token: trio.lowlevel.TrioToken, ended: trio.Event) -> None:
    with suppress(trio.RunFinishedError):  # then nobody waits any more
        token.run_sync_soon(ended.set)


def _tell_asyncio(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    def end() -> None:
        if not future.done():
            future.set_result(None)

    with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
        loop.call_soon_threadsafe(end)
