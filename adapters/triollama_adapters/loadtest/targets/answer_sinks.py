"""What takes an answer, by route: fed by the connection. Plain function calls; no task is woken.

A stamp is the one of the read that brought the bytes (`FlowControl.received_ns`), so that several
lines of one read have the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from triollama._errors import AnswerTooLargeError
from triollama.wire.flow import FlowControl
from triollama.wire.ndjson import LineSplitter
from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.targets.answer_lines import (
    Line,
    error_text,
    read_event,
    read_line,
)
from triollama_adapters.loadtest.targets.heard import Heard

__all__ = ["AnswerSink", "DocumentSink", "EventSink", "LineSink", "make_sink"]

ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
"""What a server may send for one request; the largest embeddings are far below."""


class AnswerSink(Heard, ABC):
    """What takes the bytes of an answer; a `ByteSink`, fed by the connection.

    Args:
        keeps_text: see `Heard`.
    """

    __slots__ = ("_flow", "_room_bytes")

    content_types: tuple[bytes, ...] = (b"application/x-ndjson", b"application/json")
    """Of an answer that is one."""

    def __init__(self, *, keeps_text: bool = False) -> None:
        super().__init__(keeps_text=keeps_text)
        self._flow: FlowControl | None = None
        self._room_bytes = ANSWER_BYTES_MAX

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        self._flow = flow

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""

    @abstractmethod
    def finish(self) -> None:
        """The body has ended cleanly.

        Raises:
            ProtocolError: it is not what it should be.
        """

    def let_go(self) -> None:
        """Nothing more will come: free it at once, without the garbage collector."""
        self._flow = None

    def _spend(self, data: bytes) -> None:
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise AnswerTooLargeError(f"the answer is over {ANSWER_BYTES_MAX} bytes")


class _SplitSink(AnswerSink):
    """An answer in lines."""

    __slots__ = ("_splitter",)

    def __init__(self, *, keeps_text: bool = False) -> None:
        super().__init__(keeps_text=keeps_text)
        self._splitter = LineSplitter()

    def feed(self, data: bytes) -> None:
        """See `ByteSink`. Runs once per piece of every answer."""
        self._spend(data)
        assert self._flow is not None, "it is bound before it is fed"
        now_ns = self._flow.received_ns
        if self._splitter.is_line(data):
            self._take(data, now_ns)
        else:
            for line in self._splitter.feed(data):
                self._take(line, now_ns)

    def finish(self) -> None:
        """See `AnswerSink.finish`: a last line needs no line break."""
        rest = self._splitter.finish()
        if rest.strip():
            assert self._flow is not None, "something came"
            self._take(rest, self._flow.received_ns)

    @abstractmethod
    def _take(self, line: bytes, now_ns: int) -> None:
        """Take a line, without its break."""


class LineSink(_SplitSink):
    """An answer of ``/api/chat`` or ``/api/generate``."""

    __slots__ = ()

    def _take(self, line: bytes, now_ns: int) -> None:
        chunk = read_line(line)
        message = chunk.message
        if message is not None:
            if message.content or message.thinking or message.tool_calls:
                self.say(message.content, message.tool_calls, now_ns)
        elif chunk.response or chunk.thinking:
            self.say(chunk.response, None, now_ns)
        if chunk.done:
            _end(self, chunk, now_ns)
        elif chunk.error is not None:
            self.error = error_text(chunk.error)


class EventSink(_SplitSink):
    """An answer of ``/v1/chat/completions``: server-sent events."""

    __slots__ = ()

    content_types = (b"text/event-stream",)

    def _take(self, line: bytes, now_ns: int) -> None:
        if not line.startswith(b"data:"):
            return  # a blank line between two events, or a comment
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done_ns = now_ns
            return
        event = read_event(data)
        if event.error is not None:
            self.error = error_text(event.error)
        if event.usage is not None:
            self.prompt_tokens = max(event.usage.prompt_tokens or 0, 0)
            self.output_tokens = max(event.usage.completion_tokens or 0, 0)
        for choice in event.choices or ():
            delta = choice.delta
            if delta is not None and (
                delta.content or delta.reasoning or delta.reasoning_content or delta.tool_calls
            ):
                self.say(delta.content, delta.tool_calls, now_ns)


class DocumentSink(AnswerSink):
    """An answer of ``/api/embed``: one document, without a first token or any other."""

    __slots__ = ("_pieces",)

    def __init__(self, *, keeps_text: bool = False) -> None:
        super().__init__(keeps_text=keeps_text)
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""
        self._spend(data)
        self._pieces.append(data)

    def finish(self) -> None:
        """See `AnswerSink.finish`."""
        line = read_line(b"".join(self._pieces))
        assert self._flow is not None, "something came"
        now_ns = self._flow.received_ns
        if line.error is not None:
            self.error = error_text(line.error)
            return
        _end(self, line, now_ns)


def make_sink(api: Api, *, keeps_text: bool = False) -> AnswerSink:
    """What takes an answer of this route."""
    kind = EventSink if api == "openai" else DocumentSink if api == "embed" else LineSink
    return kind(keeps_text=keeps_text)


def _end(heard: Heard, line: Line, now_ns: int) -> None:
    """The terminal line came, or the document."""
    heard.done_ns = now_ns
    heard.prompt_tokens = max(line.prompt_eval_count or 0, 0)
    heard.output_tokens = max(line.eval_count or 0, 0)
    if line.total_duration:
        told = (line.load_duration, line.prompt_eval_duration, line.eval_duration)
        load, prefill, decode = (max(each or 0, 0) for each in told)
        heard.times_ns = (max(line.total_duration, 0), load, prefill, decode)
