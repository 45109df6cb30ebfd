"""A stream whose answer becomes an object: whole at its end, in parts before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, TypeVar

import attrs

from triollama._errors import StreamRestartedError
from triollama.actors.streams import Stream
from triollama.api import ChatChunk, ChatResponse, GenerateChunk, GenerateResponse
from triollama.structured.errors import StructuredOutputError
from triollama.structured.forms import Form
from triollama.structured.reader import JsonReader, MalformedError
from triollama.structured.shapes import shape_of

__all__ = ["Partial", "StructuredStream", "open_structured"]

C = TypeVar("C", bound=ChatChunk | GenerateChunk)
R = TypeVar("R", bound=ChatResponse | GenerateResponse)
T = TypeVar("T")


@attrs.frozen
class Partial(Generic[T]):
    """An answer as far as its parts are complete.

    Attributes:
        value: the parts: of an object that still comes a dict of its complete fields, of a list its
            complete items; what is complete is of the type that its field has. A text or a number
            is there when it is whole, never a part of it.
        whole: the object; None until the answer's last bracket.
    """

    value: Any = attrs.field(repr=False)
    whole: T | None = attrs.field(repr=False, default=None)


class StructuredStream(Generic[C, R, T]):
    """One answer as it comes, and the object in it. Made by ``stream_chat(…, format=Class)``.

    Iterate the chunks as of any stream, or `partials`; either way `parsed` gives the object.

    Attributes:
        stream: the `Stream` itself: timing, usage, pause, cancel, …
    """

    def __init__(self, stream: Stream[C, R], form: Form[T]) -> None:
        self.stream = stream
        self._form = form
        self._partials: _Partials[C, R, T] | None = None
        self._missed: list[str] = []

    def __repr__(self) -> str:
        return f"<StructuredStream of {self._form.name}: {self.stream!r}>"

    def __aiter__(self) -> AsyncIterator[C]:
        return self

    async def __anext__(self) -> C:
        """The next chunk; see `Stream`."""
        try:
            chunk = await anext(self.stream)
        except StreamRestartedError:
            self._missed.clear()
            if self._partials is not None:
                self._partials.reset()
            raise
        if self._partials is None:
            self._missed.append(chunk.content)
        else:
            self._partials.miss(chunk.content)
        return chunk

    async def collect(self) -> R:
        """The whole answer as it was written; see `Stream.collect`."""
        return await self.stream.collect()

    def partials(self) -> AsyncIterator[Partial[T]]:
        """The answer in parts: a `Partial` whenever at least one more value is complete.

        There is one iterator: asked for again, it goes on where it was. What was read as chunks
        before is in its parts.

        If the answer begins anew (``on_break="restart"``), so do its parts. If cancelled, ask for
        the next one again. At most `LENGTH_MAX` characters are read, `DEPTH_MAX` deep.

        Raises:
            StructuredOutputError: while iterating: what has come cannot become JSON.
            TriollamaError: while iterating: what ended the stream.
        """
        if self._partials is None:
            self._partials = _Partials(self.stream, self._form)
            self._partials.miss("".join(self._missed))
            self._missed.clear()
        return self._partials

    async def parsed(self) -> T:
        """Wait for the whole answer, and read it. It is not asked for again if it does not fit.

        Raises:
            StructuredTruncatedError: it was cut before it was whole.
            StructuredOutputError: it does not fit.
            TriollamaError: what ended the stream.
        """
        response = await self.stream.collect()
        return self._form.read(response.content, response.done_reason)


@asynccontextmanager
async def open_structured(
    opening: AbstractAsyncContextManager[Stream[C, R]], form: Form[T]
) -> AsyncIterator[StructuredStream[C, R, T]]:
    """Make a stream a structured one, which begins and stops with the block of ``async with``."""
    async with opening as stream:
        yield StructuredStream(stream, form)


class _Partials(AsyncIterator[Partial[T]], Generic[C, R, T]):
    """Reads a stream's chunks, and gives what has become complete."""

    def __init__(self, stream: Stream[C, R], form: Form[T]) -> None:
        self._stream = stream
        self._form = form
        self._reader = JsonReader(shape_of(form.kind))
        self._missed = ""

    def miss(self, text: str) -> None:
        """Text that was read as chunks, and is still to be looked at."""
        self._missed += text

    def reset(self) -> None:
        """Begin anew."""
        self._missed = ""
        self._reader.reset()

    async def __anext__(self) -> Partial[T]:
        told = self._reader.completed
        missed, self._missed = self._missed, ""
        self._feed(missed)
        while self._reader.completed == told:
            try:
                chunk = await anext(self._stream)
            except StreamRestartedError:
                self.reset()
                told = 0
            except StopAsyncIteration:
                self._feed("\n")  # completes a number that is the whole answer
                if self._reader.completed == told:
                    raise
            else:
                self._feed(chunk.content)
        is_whole = self._reader.is_whole
        whole = self._form.read(self._stream.partial.content) if is_whole else None
        return Partial(self._reader.value, whole)

    def _feed(self, text: str) -> None:
        try:
            self._reader.feed(text)
        except MalformedError as error:
            raise StructuredOutputError(str(error), text=self._stream.partial.content) from None
