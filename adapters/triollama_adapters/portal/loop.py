"""`Portal`: a thread in which a trio loop runs one engine, and the way in for other threads.

What is handed in ends in any case: with its own outcome, or with `EngineClosedError` when the loop
ends before. Nothing here waits but `join`.

The thread is a daemon, so that a program that forgot to close its engine can end. Before it does,
the engine is told to stop and is given `EXIT_S` for it, so that servers do not go on generating for
nobody, and no thread of Python's runs in an interpreter that is half gone.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from functools import partial
from typing import Any, Final
from weakref import WeakSet

import trio

from triollama import Engine, EngineClosedError
from triollama_adapters.portal.job import Job

__all__ = ["EXIT_S", "Portal"]

EXIT_S: Final = 10.0
"""For an engine that nobody closed to be stopped when the interpreter ends. Its own clean-ups have
5 s; what hangs longer is a function of the program's in a thread, and is left to itself."""


class Portal:
    """A thread with a trio loop and an engine. To be closed; see the module.

    Args:
        opening: makes the block of the engine; called in the loop.

    Attributes:
        engine: the engine, once `opened` has ended well.
        failure: what ended the engine, if that was not a call of `close` or `stop`.
        is_over: whether the loop has ended, or will never be heard of in this process.
    """

    engine: Engine

    def __init__(self, opening: Callable[[], AbstractAsyncContextManager[Engine]]) -> None:
        self._opening = opening
        self._context = copy_context()
        self._pid = os.getpid()
        self._jobs: set[Job[Any]] = set()
        self._nursery: trio.Nursery
        self._token: trio.lowlevel.TrioToken | None = None
        self._closing = trio.Event()
        self._scope = trio.CancelScope()
        self._has_ended = False
        self._opened: Job[Engine] | None = None
        self._ended: list[Callable[[], object]] = []
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="triollama", daemon=True)

    @property
    def is_over(self) -> bool:
        """See the class."""
        return self._has_ended or self._pid != os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the loop's own thread, which must not wait for itself."""
        return threading.get_ident() == self._thread.ident

    def start(self, opened: Job[Engine]) -> None:
        """Start thread, loop and engine.

        Args:
            opened: is ended by this when the engine is open, or cannot be opened; not to be handed
                in.
        """
        self._opened = opened
        _open.add(self)
        self._thread.start()

    # ---- called by any thread

    def check(self) -> None:
        """Refuse what cannot be waited for here.

        Raises:
            EngineClosedError: the loop is over, or belongs to the process that this was forked of.
            RuntimeError: this is the loop's thread: a function that the engine calls, such as
                ``on_chunk``.
        """
        if self.is_over:
            raise self.closed_error()
        if self.is_here:
            raise RuntimeError(
                "the engine's own thread, in which on_chunk and async tools are called, cannot "
                "wait for the engine"
            )

    def submit(self, job: Job[Any]) -> None:
        """Hand work in.

        Raises: as `check`.
        """
        self.check()
        job.home = self._jobs
        self._jobs.add(job)
        if not self.soon(partial(self._begin, job)) or self._has_ended:
            job.fail(self.closed_error())

    def soon(self, do: Callable[[], object]) -> bool:
        """Have something called in the loop; false if that will not be. Never waits."""
        if self._token is None or self.is_over:
            return False
        try:
            self._token.run_sync_soon(do)
        except trio.RunFinishedError:
            return False
        return True

    def close(self) -> None:
        """Begin to end it as the end of an engine's block does: what runs has its grace."""
        self.soon(self._closing.set)

    def stop(self) -> None:
        """Begin to end it at once."""
        if not self.soon(self._scope.cancel):
            self._scope.cancel()  # it has ended, or not begun

    def when_over(self, tell: Callable[[], object]) -> None:
        """Have somebody told, in any thread, when the loop is over; maybe twice."""
        self._ended.append(tell)
        if self.is_over:
            tell()

    def join(self, limit_s: float | None = None) -> bool:
        """Wait for the thread's end; whether it has ended. In its own thread: no waiting."""
        if self._pid == os.getpid() and not self.is_here:
            self._thread.join(limit_s)
        return not self._thread.is_alive()

    def closed_error(self) -> EngineClosedError:
        """What a call gets that comes too late."""
        if self._pid != os.getpid():
            told = "the engine belongs to the process that this one was forked of: open one here"
            return EngineClosedError(told)
        error = EngineClosedError("the engine is closed")
        error.__cause__ = self.failure
        return error

    # ---- the thread

    def _run(self) -> None:
        try:
            self._context.run(trio.run, self._main)
        except BaseException as error:  # noqa: BLE001, ASYNC103 - told to whoever asks
            self.failure = self.failure or error
        finally:
            self._has_ended = True
            if self._opened is not None:
                self._opened.fail(self.failure or self.closed_error())
            for job in tuple(self._jobs):
                job.fail(self.closed_error())
            self._jobs.clear()
            for tell in tuple(self._ended):
                tell()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            try:
                with self._scope:
                    async with self._opening() as self.engine:
                        assert self._opened is not None
                        self._opened.succeed(self.engine)
                        await self._closing.wait()
            except Exception as error:  # noqa: BLE001 - told to whoever closes
                self.failure = error
            # Streams have ended; what else there is would wait for somebody for ever.
            self._nursery.cancel_scope.cancel()

    def _begin(self, job: Job[Any]) -> None:
        if self._nursery.cancel_scope.cancel_called:
            job.fail(self.closed_error())
        else:
            job.begin(self._nursery)


_open: WeakSet[Portal] = WeakSet()


@atexit.register
def _stop_all() -> None:
    """Stop what was never closed; the interpreter is about to end."""
    portals = [portal for portal in tuple(_open) if not portal.is_over]
    for portal in portals:
        portal.stop()
    until_s = time.monotonic() + EXIT_S
    for portal in portals:
        portal.join(max(0.0, until_s - time.monotonic()))
