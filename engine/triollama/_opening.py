"""`Opening`: a stream that runs as long as a block does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, TypeVar

import trio

from triollama.actors.streams import Stream
from triollama.actors.streams.actor import STOP_S
from triollama.api import ChatChunk, GenerateChunk

C = TypeVar("C", bound=ChatChunk | GenerateChunk)
R = TypeVar("R")


class Opening(AbstractAsyncContextManager[Stream[C, R]], Generic[C, R]):
    """A stream that begins when its block is entered, and stops when that is left."""

    def __init__(self, begin: Callable[[], Awaitable[Stream[C, R]]]) -> None:
        self._begin: Callable[[], Awaitable[Stream[C, R]]] | None = begin
        self._stream: Stream[C, R] | None = None

    async def __aenter__(self) -> Stream[C, R]:
        begin, self._begin = self._begin, None  # a stream that lasts need not hold what was asked
        assert begin is not None, "a block is entered once"
        self._stream = await begin()
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._stream is not None
        with trio.move_on_after(STOP_S, shield=True):
            await self._stream.leave()
