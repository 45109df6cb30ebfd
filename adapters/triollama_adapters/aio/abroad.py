"""Functions and iterators of asyncio programs, for an engine whose loop is trio's.

They run in the asyncio loop that gave them, each call as a task there. If the engine cancels a
call, its task is cancelled and waited for.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Final

import outcome
import trio

__all__ = ["Home"]

_END: Final = object()


class Home:
    """The asyncio loop that runs now, with the context of the task that runs in it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = copy_context()

    def function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function as the engine can call it; one that is not async stays as it is."""
        if not is_async(function):
            return function

        @functools.wraps(function)
        async def called(*args: Any, **kwargs: Any) -> Any:
            return await self._run(functools.partial(function, *args, **kwargs))

        return called

    def tool(self, tool: Any) -> Any:
        """A tool as the engine can call it."""
        from triollama.tools import Tool  # noqa: PLC0415 - few programs need it

        if isinstance(tool, Tool):
            if not tool.is_async:
                return tool
            return Tool(
                self.function(tool.function),
                name=tool.name,
                description=tool.description,
                call_s=tool.call_s,
            )
        return self.function(tool) if callable(tool) else tool

    async def iterator(self, items: AsyncIterable[Any]) -> AsyncIterator[Any]:
        """An asynchronous iterable as the engine can iterate it."""
        source = aiter(items)
        try:
            while (item := await self._run(functools.partial(anext, source, _END))) is not _END:
                yield item
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await self._run(close)  # noqa: ASYNC102 - who iterates shields it, for 2 s

    async def _run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Await something in the asyncio loop."""
        visit = _Visit(self._loop, self._context.copy(), make)
        return await visit.run()


def is_async(function: Any) -> bool:
    """Whether calling it gives something to be awaited."""
    called = getattr(function, "__call__", None)  # noqa: B004 - an object's own, async or not
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


class _Visit:
    """One call in the other loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        make: Callable[[], Awaitable[Any]],
    ) -> None:
        self._loop = loop
        self._context = context
        self._make = make
        self._task: asyncio.Task[Any] | None = None
        self._waiter: trio.lowlevel.Task
        self._token: trio.lowlevel.TrioToken
        self._raise_cancel: trio.lowlevel.RaiseCancelT | None = None

    async def run(self) -> Any:
        """Do it; in trio's loop."""
        self._waiter = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._loop.call_soon_threadsafe(self._begin)
        return await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, raise_cancel: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self._raise_cancel = raise_cancel
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:  # the loop is closed, and so nothing runs there
            return trio.lowlevel.Abort.SUCCEEDED
        return trio.lowlevel.Abort.FAILED

    # ---- in asyncio's loop

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._work(), context=self._context)
        self._task.add_done_callback(self._end)

    async def _work(self) -> Any:
        return await self._make()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Task[Any]) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._tell, _ending(task))

    # ---- in trio's loop again

    def _tell(self, ending: outcome.Outcome[Any] | None) -> None:
        if ending is None and self._raise_cancel is not None:
            ending = outcome.capture(self._raise_cancel)
        error = RuntimeError("its asyncio task was cancelled")
        trio.lowlevel.reschedule(self._waiter, ending or outcome.Error(error))


def _ending(task: asyncio.Task[Any]) -> outcome.Outcome[Any] | None:
    """How a task ended; None if it was cancelled."""
    if task.cancelled():
        return None
    error = task.exception()
    return outcome.Value(task.result()) if error is None else outcome.Error(error)
