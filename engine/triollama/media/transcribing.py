"""Transcribing, as its reader sees it: the text as it comes, or all of it."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import trio

from triollama._config import EngineConfig
from triollama._errors import ProtocolError, StreamCancelledError, TriollamaError
from triollama.actors.streams import Delivered, DocumentInflow, Worker
from triollama.api.transcribe import Transcription, decode_transcript
from triollama.wire.flow import FlowControl

__all__ = ["SpeechOpening", "SpeechStream", "TextInflow"]

STOP_S = 5.0
"""For a stream that is left to give socket and lease back; it takes two turns of the loop."""


class TextInflow(DocumentInflow[Transcription]):
    """An answer in plain text, that can be read while it comes.

    Args:
        config: the limits.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(decode_transcript, config)
        self._high = config.buffer_bytes_high
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._unread: list[str] = []  # held back from `buffer_bytes_high` on
        self._unread_chars = 0
        self._text: list[str] = []
        self._changed = trio.Event()
        self._flow: FlowControl | None = None
        self._is_paused = False
        self._is_closed = False

    @property
    def is_paused(self) -> bool:
        """Whether the reader is the one who is waited for."""
        return self._is_paused

    def delivered(self) -> Delivered:
        """See `Inflow`: what has come cannot come again, so nothing goes on elsewhere."""
        return Delivered("".join(self._text), seen=bool(self._text), tokens=len(self._text))

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        super().bind(flow)
        self._flow = flow
        self._decoder.reset()

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""
        super().feed(data)
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError:
            raise ProtocolError("the transcription is not UTF-8") from None
        if text:
            self._text.append(text)
            self._unread.append(text)
            self._unread_chars += len(text)
            self._wake()
        if self._flow is not None and self._unread_chars > self._high:
            self._is_paused = True
            self._flow.pause()

    def close(self, error: TriollamaError | None) -> None:
        """See `Inflow`."""
        super().close(error)
        self._is_closed = True
        self._wake()

    async def next_text(self) -> str | None:
        """The next piece; None at the end.

        Raises:
            TriollamaError: what ended it.
        """
        while not self._unread:
            if self._is_closed:
                if self.error is not None:
                    raise self.error
                return None
            await self._changed.wait()
        text = "".join(self._unread)
        self._unread.clear()
        self._unread_chars = 0
        if self._is_paused and self._flow is not None:
            self._is_paused = False
            self._flow.resume()
        return text

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


class SpeechStream:
    """A transcription as it comes: iterate it for pieces of text, or `collect` all of it.

    Made by `Engine.stream_transcribe` in ``async with``; leaving that block stops the work. Ollama
    gives all of the text in one piece, when it has it.
    """

    def __init__(self, worker: Worker, inflow: TextInflow) -> None:
        self._worker = worker
        self._inflow = inflow

    def __aiter__(self) -> SpeechStream:
        return self

    async def __anext__(self) -> str:
        """The next piece of text.

        Raises:
            TriollamaError: what ended the stream.
        """
        text = await self._inflow.next_text()
        if text is None:
            raise StopAsyncIteration
        return text

    async def collect(self) -> Transcription:
        """Wait for all of it, with what was iterated before.

        Raises:
            TriollamaError: what ended the stream.
        """
        async for _ in self:
            pass
        assert self._inflow.value is not None
        return self._inflow.value

    @property
    def endpoint(self) -> str:
        """The name of the endpoint that transcribes; empty while in line."""
        return self._worker.endpoint

    async def leave(self) -> None:
        """What the end of the block does."""
        if self._worker.ended is None:
            self._worker.stop(StreamCancelledError("the transcription was cancelled"))
            await self._worker.wait_ended()


class SpeechOpening(AbstractAsyncContextManager[SpeechStream]):
    """A `SpeechStream` that begins when its block is entered, and stops when that is left."""

    def __init__(self, begin: Callable[[], Awaitable[SpeechStream]]) -> None:
        self._begin = begin
        self._stream: SpeechStream | None = None

    async def __aenter__(self) -> SpeechStream:
        self._stream = await self._begin()
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
