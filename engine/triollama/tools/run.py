"""`ToolRun`: the rounds of tools, as their reader sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, Self

import trio

from triollama._errors import InvalidRequestError
from triollama.api import ChatResponse
from triollama.tools.events import ToolEvent
from triollama.tools.rounds import Rounds, interrupt_of

__all__ = ["ToolRun"]

EVENTS_MAX: Final = 64
"""Events that wait for the reader; then the answer is not read further until it has caught up."""


class ToolRun(AbstractAsyncContextManager["ToolRun"], AsyncIterator[ToolEvent]):
    """A run of tools, in ``async with``; iterating gives each step as a `ToolEvent`.

    Leaving the block stops the work: the answer's connection is closed, and calls are cancelled.
    (A function in a thread cannot be stopped; it is left to itself, and its result is dropped.) An
    error that ended the run is raised where it is iterated. One task may read at a time.
    """

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._send, self._receive = trio.open_memory_channel[ToolEvent](EVENTS_MAX)
        self._children = trio.open_nursery()
        self._nursery: trio.Nursery | None = None
        self._error: Exception | None = None

    def __repr__(self) -> str:
        return f"<ToolRun: {self.rounds} rounds, {len(self.messages)} messages>"

    async def __aenter__(self) -> Self:
        assert self._nursery is None, "a block is entered once"
        self._nursery = await self._children.__aenter__()
        self._nursery.start_soon(self._work)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._nursery is not None
        self._nursery.cancel_scope.cancel()
        # Not told of the block's error, so that this goes on as it is and not in a group.
        # It waits for children that are cancelled, and theirs is the clean-up with a deadline.
        try:
            await self._children.__aexit__(None, None, None)  # noqa: ASYNC102
        except BaseExceptionGroup as group:
            raise interrupt_of(group) or group from None
        finally:
            self._receive.close()

    async def __anext__(self) -> ToolEvent:
        """The next step. If cancelled, none is lost.

        Raises:
            ToolError: the tools failed; see `Rounds.run` for the kinds.
            TriollamaError: an answer failed.
            InvalidRequestError: outside of the block.
        """
        if self._nursery is None:
            raise InvalidRequestError("a run of tools begins in a block: async with … as run")
        try:
            return await self._receive.receive()
        except trio.ClosedResourceError:
            raise InvalidRequestError("the block of the run of tools has been left") from None
        except trio.EndOfChannel:
            pass
        if self._error is not None:
            raise self._error  # with its own cause
        raise StopAsyncIteration

    async def collect(self) -> ChatResponse:
        """Wait for the last answer; steps that were not read are dropped.

        Raises:
            TriollamaError: what ended the run.
        """
        async for _ in self:
            pass
        assert self.response is not None
        return self.response

    @property
    def response(self) -> ChatResponse | None:
        """The model's last answer; None before the first one is whole."""
        return self._rounds.response

    @property
    def messages(self) -> tuple[Any, ...]:
        """Those given, then each answer and the results of its calls: the next request's."""
        return tuple(self._rounds.messages)

    @property
    def rounds(self) -> int:
        """Rounds that have begun."""
        return self._rounds.number

    async def _work(self) -> None:
        with self._send:
            try:
                await self._rounds.run(self._send.send)
            except Exception as error:  # noqa: BLE001 - raised where the run is read
                self._error = error
