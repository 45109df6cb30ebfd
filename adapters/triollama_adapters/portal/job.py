"""`Job`: one piece of work for the loop of a portal, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Generic, TypeVar

import trio

__all__ = ["Errand", "Job", "JobCancelledError"]

T = TypeVar("T")


class JobCancelledError(Exception):
    """A job was cancelled by who had handed it in, and so has no value."""


class Job(Generic[T]):
    """Work that one thread hands in and the loop's thread does, in the context of the former.

    It ends once, in the loop's thread or, where the loop is over, in any; then `wake` is called.

    Args:
        work: is awaited in the loop.
        wake: told the end; neither waits nor raises.

    Attributes:
        is_done: whether it has ended; from then on nothing of it changes.
        has_value: whether it has ended well.
        error: what it raised, or None.
        home: the jobs that are under way, of which it is one until it ends.
    """

    __slots__ = (
        "_context",
        "_scope",
        "_traceback",
        "_value",
        "_work",
        "error",
        "has_value",
        "home",
        "is_done",
        "wake",
    )

    def __init__(self, work: Callable[[], Awaitable[T]], wake: Callable[[], object]) -> None:
        self._work: Callable[[], Awaitable[T]] | None = work
        self._context: Context | None = copy_context()
        self._scope = trio.CancelScope()
        self._traceback: TracebackType | None = None
        self._value: T
        self.wake = wake
        self.is_done = False
        self.has_value = False
        self.error: BaseException | None = None
        self.home: set[Job[Any]] | None = None

    def result(self) -> T:
        """What came of it, once it is done.

        Raises:
            JobCancelledError: it was cancelled.
            BaseException: what it raised, with the traceback from the work on.
        """
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)
        return self._value

    # ---- called in the loop's thread

    def begin(self, nursery: trio.Nursery) -> None:
        """Start it as a task."""
        context, self._context = self._context, None
        if context is not None and not self.is_done:
            context.run(nursery.start_soon, self._run)

    def cancel(self) -> None:
        """Cancel it, begun or not."""
        self._scope.cancel()

    def succeed(self, value: T) -> None:
        """End it well, unless it has ended."""
        if not self.is_done:
            self._value = value
            self.has_value = True
            self._end()

    def fail(self, error: BaseException) -> None:
        """End it by an error, unless it has ended."""
        if not self.is_done:
            self.error = error
            # The frame of `_run` tells nobody anything.
            traceback = error.__traceback__
            self._traceback = traceback.tb_next if traceback is not None else None
            self._end()

    def _end(self) -> None:
        self._work = None
        self.is_done = True
        if self.home is not None:
            self.home.discard(self)
        self.wake()

    async def _run(self) -> None:
        work = self._work
        assert work is not None
        try:
            with self._scope:
                value = await work()
                self.succeed(value)
        except trio.Cancelled:
            raise  # the portal is closing, and tells whoever waits
        except BaseException as error:  # noqa: BLE001 - it is the one's who waits
            self.fail(error)
        else:
            self.fail(JobCancelledError())


class Errand(Job[T]):
    """A plain function for the loop's thread; it does not wait there, so it needs no task.

    Args:
        do: the function.
        wake: as of any job.
    """

    __slots__ = ("_do",)

    def __init__(self, do: Callable[[], T], wake: Callable[[], object]) -> None:
        super().__init__(_nothing, wake)
        self._do = do

    def begin(self, _: trio.Nursery) -> None:
        """Call it."""
        context, self._context = self._context, None
        if context is None or self.is_done:
            return
        try:
            self.succeed(context.run(self._do))
        except BaseException as error:  # noqa: BLE001, ASYNC103 - it is the one's who waits
            self.fail(error)


async def _nothing() -> Any:
    """What the work of an errand is."""
