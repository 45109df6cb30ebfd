"""Answers from bytes, by route. Of what a line says only what a sample needs is decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from triollama import ProtocolError
from triollama.wire.ndjson import LineSplitter
from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.targets.sink import Sink

__all__ = ["DocumentSink", "EventSink", "LineSink", "make_sink"]

_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Message(msgspec.Struct, gc=False):
    content: str | None = ""
    thinking: str | None = None
    tool_calls: list[Any] | None = None


class _Line(msgspec.Struct, gc=False):
    """A line of ``/api/chat`` or ``/api/generate``, or the document of ``/api/embed``."""

    message: _Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    error: Any = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_duration: int | None = None
    eval_duration: int | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None


class _Used(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Event(msgspec.Struct, gc=False):
    """An event of ``/v1/chat/completions``."""

    choices: list[_Choice] | None = None
    usage: _Used | None = None
    error: Any = None


class _SplitSink(Sink):
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
        """See `Sink.finish`: a last line needs no line break."""
        rest = self._splitter.finish()
        if rest.strip():
            assert self._flow is not None, "something came"
            self._take(rest, self._flow.received_ns)

    def _take(self, line: bytes, now_ns: int) -> None:
        raise NotImplementedError


_decode_line: Final = msgspec.json.Decoder(_Line).decode
_decode_event: Final = msgspec.json.Decoder(_Event).decode


class LineSink(_SplitSink):
    """An answer of ``/api/chat`` or ``/api/generate``."""

    __slots__ = ()

    def _take(self, line: bytes, now_ns: int) -> None:
        chunk = _read(_decode_line, line)
        message = chunk.message
        if message is not None:
            if message.content or message.thinking or message.tool_calls:
                self._say(message.content, message.tool_calls, now_ns)
        elif chunk.response or chunk.thinking:
            self._say(chunk.response, None, now_ns)
        if chunk.done:
            _end(self, chunk, now_ns)
        elif chunk.error is not None:
            self.error = _told(chunk.error)


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
        event = _read(_decode_event, data)
        if event.error is not None:
            self.error = _told(event.error)
        if event.usage is not None:
            self.prompt_tokens = max(event.usage.prompt_tokens or 0, 0)
            self.output_tokens = max(event.usage.completion_tokens or 0, 0)
        for choice in event.choices or ():
            delta = choice.delta
            if delta is not None and (
                delta.content or delta.reasoning or delta.reasoning_content or delta.tool_calls
            ):
                self._say(delta.content, delta.tool_calls, now_ns)


class DocumentSink(Sink):
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
        """See `Sink.finish`."""
        line = _read(_decode_line, b"".join(self._pieces))
        assert self._flow is not None, "something came"
        now_ns = self._flow.received_ns
        if line.error is not None:
            self.error = _told(line.error)
            return
        _end(self, line, now_ns)


def make_sink(api: Api, *, keeps_text: bool = False) -> Sink:
    """What takes an answer of this route."""
    kind = EventSink if api == "openai" else DocumentSink if api == "embed" else LineSink
    return kind(keeps_text=keeps_text)


def _end(sink: Sink, line: _Line, now_ns: int) -> None:
    """The terminal line came, or the document."""
    sink.done_ns = now_ns
    sink.prompt_tokens = max(line.prompt_eval_count or 0, 0)
    sink.output_tokens = max(line.eval_count or 0, 0)
    if line.total_duration:
        told = (line.load_duration, line.prompt_eval_duration, line.eval_duration)
        load, prefill, decode = (max(each or 0, 0) for each in told)
        sink.times_ns = (max(line.total_duration, 0), load, prefill, decode)


def _read(decode: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return decode(data)
    except _ERRORS as error:
        # Not its text, which may hold a part of the answer.
        raise ProtocolError(f"a line cannot be read ({type(error).__name__})") from None


def _told(error: object) -> str:
    """The words of an error: a text, or an object with a message."""
    if isinstance(error, dict):
        error = error.get("message", "")
    return str(error)[:1_000] or "no reason given"
