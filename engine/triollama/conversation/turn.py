"""One turn of a conversation, as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from triollama._errors import InvalidRequestError, StreamRestartedError
from triollama.api import ChatChunk, ChatResponse, ImageInput, Message
from triollama.conversation.desk import Desk, Prepared
from triollama.conversation.fitting import ChatFit
from triollama.conversation.history import Said
from triollama.structured import StructuredOutputError
from triollama.tools import (
    ToolAnswerChunk,
    ToolAnswerRestarted,
    ToolEvent,
    ToolRun,
    ToolRunEnded,
)

__all__ = ["Turn"]

A = TypeVar("A")


class Turn(AbstractAsyncContextManager["Turn[A]"], AsyncIterator[ChatChunk], Generic[A]):
    """One turn in ``async with``; iterating gives the chunks of the answer. Made by `Chat.stream`.

    The turn becomes history as soon as its last chunk was iterated, or `collect` or `answer` gave
    the whole. If the block is left before that, by whatever way, the history stays as it was. Where
    tools run, the chunks are those of all rounds, and `events` gives every step.
    """

    def __init__(
        self, desk: Desk, said: Said, images: Sequence[ImageInput], terms: Mapping[str, Any]
    ) -> None:
        self._desk = desk
        self._said = said
        self._images = images
        self._terms = terms
        self._held: AsyncExitStack | None = None
        self._is_left = False
        self._prepared: Prepared | None = None
        self._source: Any = None
        self._chunks: AsyncIterator[Any] | None = None
        self._response: ChatResponse | None = None
        self._answer: Any = None
        self._misfit: StructuredOutputError | None = None

    def __repr__(self) -> str:
        state = "whole" if self._response else "running" if self._source else "not begun"
        return f"<Turn: {state}>"

    async def __aenter__(self) -> Self:
        if self._prepared is not None:
            raise InvalidRequestError("a turn is one block: call chat.stream(…) for the next one")
        async with AsyncExitStack() as stack:
            stack.enter_context(self._desk.busy())
            self._prepared = await self._desk.prepare(self._said, self._images, self._terms)
            opening = self._desk.open(self._prepared)
            self._source = await stack.enter_async_context(opening)
            self._held = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._held is not None
        self._is_left = True
        # It leaves the stream, or the run of tools, whose clean-up has its deadline.
        await self._held.__aexit__(kind, error, traceback)  # noqa: ASYNC102

    @property
    def source(self) -> Any:
        """What the engine gave: a `Stream`, with its timing and usage, or a `ToolRun`."""
        return self._source

    @property
    def fit(self) -> ChatFit | None:
        """How the messages fit ``tokens_max``; None without that."""
        return None if self._prepared is None else self._prepared.fit

    async def __anext__(self) -> ChatChunk:
        """The next chunk.

        Raises:
            StreamRestartedError: with ``on_break="restart"``: the answer begins anew; iterate on.
            InvalidRequestError: outside of the block.
            TriollamaError: what ended the turn.
        """
        self._check_open()
        if not isinstance(self._source, ToolRun):
            chunk = cast("ChatChunk", await anext(self._iterated()))
            if chunk.done:
                self._keep_stream(self._source.partial)  # nothing awaited: both or none
            return chunk
        while True:
            match await self._next_event():
                case ToolAnswerChunk(chunk=chunk):
                    return chunk
                case ToolAnswerRestarted():
                    raise StreamRestartedError("the answer broke, and begins anew")

    def events(self) -> AsyncIterator[ToolEvent]:
        """Each step of the tools, chunks included, in place of the chunks alone.

        Raises:
            InvalidRequestError: outside of the block, or no tools run in this chat.
        """
        self._check_open()
        if not isinstance(self._source, ToolRun):
            raise InvalidRequestError("no tools run in this chat: give it functions as tools")
        return _Events(self._next_event)

    async def collect(self) -> ChatResponse:
        """Wait for the whole answer; with tools, for the last one. If cancelled, call it again.

        Raises:
            InvalidRequestError: the block was left before, or never entered.
            TriollamaError: what ended the turn.
        """
        self._check_open()
        if self._response is None and isinstance(self._source, ToolRun):
            async for _ in _Events(self._next_event):
                pass
        elif self._response is None:
            self._keep_stream(await self._source.collect())
        assert self._response is not None
        return self._response

    async def answer(self) -> A:
        """Wait for the whole answer: the object, if the chat's ``format`` is a class.

        Raises:
            StructuredOutputError: it does not fit; the history is as it was.
            TriollamaError: what ended the turn.
        """
        response = await self.collect()
        if self._misfit is not None:
            raise self._misfit
        return cast("A", response if self._desk.settings.form is None else self._answer)

    # ---- inside

    def _check_open(self) -> None:
        """A turn that was left half-way is none, whatever of it may have arrived."""
        if self._source is None:
            raise InvalidRequestError("a turn is used in a block: async with chat.stream(…)")
        if self._is_left and self._response is None:
            raise InvalidRequestError("the turn's block was left before it was whole; ask again")

    def _iterated(self) -> AsyncIterator[Any]:
        if self._chunks is None:
            self._chunks = aiter(self._source)
        return self._chunks

    async def _next_event(self) -> ToolEvent:
        event = cast("ToolEvent", await anext(self._iterated()))
        if isinstance(event, ToolRunEnded):
            assert self._prepared is not None
            added = self._source.messages[len(self._prepared.sent) :]
            self._keep(added, event.response)
        return event

    def _keep_stream(self, response: ChatResponse) -> None:
        self._keep([response.message], response)

    def _keep(self, added: Sequence[Message], response: ChatResponse) -> None:
        if self._response is not None:
            return
        self._check_open()  # again: the block may have been left while this task waited
        self._response = response
        assert self._prepared is not None
        if (form := self._desk.settings.form) is not None:
            try:
                self._answer = form.read(response.content, response.done_reason)
            except StructuredOutputError as error:
                self._misfit = error
                return
        self._desk.keep(self._prepared, added, response)


class _Events(AsyncIterator[ToolEvent]):
    def __init__(self, following: Callable[[], Awaitable[ToolEvent]]) -> None:
        self._following = following

    async def __anext__(self) -> ToolEvent:
        return await self._following()
