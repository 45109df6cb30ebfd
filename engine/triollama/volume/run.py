"""`EmbedRun`: the vectors of many texts, as their reader sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import trio

from triollama._errors import InvalidRequestError
from triollama.tools.rounds import interrupt_of
from triollama.volume.progress import EmbedProgress
from triollama.volume.working import Work

__all__ = ["EmbedRun"]

V = TypeVar("V")


class EmbedRun(AbstractAsyncContextManager["EmbedRun[V]"], AsyncIterator[V], Generic[V]):
    """The vectors of many texts, in ``async with``; iterating gives one per text, in their order.

    Made by `Engine.embed_many`. Leaving the block stops the work: requests under way are cancelled,
    and an asynchronous generator that gave the texts is closed. One task may read at a time. If an
    iteration is cancelled, no vector is lost: iterate on.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._children = trio.open_nursery()
        self._nursery: trio.Nursery | None = None
        # Not the nursery's: that one has the caller's block in it, which may go on when this stops.
        self._scope = trio.CancelScope()
        self._given = 0
        self._is_over = False
        self._is_left = False
        self._is_reading = False

    def __repr__(self) -> str:
        state = "over" if self._is_over else "running" if self._nursery else "not begun"
        return f"<EmbedRun: {self._given} given, {state}>"

    async def __aenter__(self) -> Self:
        if self._nursery is not None:
            raise InvalidRequestError("embed_many gives one block: call it again for a second one")
        self._nursery = await self._children.__aenter__()
        self._nursery.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_left = not self._is_over
        self._stop()
        # Not told of the block's error, so that this goes on as it is and not in a group.
        # It waits for children that are cancelled, and theirs is the clean-up with a deadline.
        try:
            await self._children.__aexit__(None, None, None)  # noqa: ASYNC102
        except BaseExceptionGroup as group:
            raise interrupt_of(group) or group from None

    async def __anext__(self) -> V:
        """The vector of the next text, or its `FailedText` with ``on_error="give"``.

        Raises:
            TextFailedError: the text has none, with ``on_error="raise"``; this ends the run.
            TriollamaError: no text can have one now; this ends the run, too. `progress` tells how
                many were given: go on from there.
            InvalidRequestError: outside of the block.
            trio.BusyResourceError: another task is reading.
        """
        if self._nursery is None:
            raise InvalidRequestError(
                "embed_many is used in a block: async with engine.embed_many(…) as vectors"
            )
        if self._is_reading:
            raise trio.BusyResourceError("another task is reading these vectors")
        self._is_reading = True
        try:
            return await self._next()
        finally:
            self._is_reading = False

    async def collect(self) -> list[V]:
        """All that were not iterated yet, together: for texts whose vectors fit into memory.

        Raises: as iterating.
        """
        return [outcome async for outcome in self]

    def progress(self) -> EmbedProgress:
        """How far this is."""
        return self._work.progress(self._given)

    async def _next(self) -> V:
        await trio.lowlevel.checkpoint()
        work = self._work
        while not self._is_over:
            work.forget_spent()
            batch = work.batches[0] if work.batches else None
            if batch is None and work.is_done:
                self._stop()
            elif batch is not None and batch.has_more:
                outcome: Any = batch.take()
                self._given += 1
                work.forget_spent()
                return cast("V", outcome)  # which of the two follows from the rules
            elif batch is not None and batch.error is not None:
                self._stop()
                raise batch.error
            else:
                await work.wait_change()
        if self._is_left:
            raise InvalidRequestError("the block of embed_many was left before its end")
        raise StopAsyncIteration

    async def _run(self) -> None:
        with self._scope:
            await self._work.run()

    def _stop(self) -> None:
        self._is_over = True
        self._scope.cancel()
        self._work.wake()
