"""``POST /api/chat``: the request, its events, and the whole answer.

The path of an event is `decode_chat_chunk`, then `ChatFold.add`: both are kept flat, because they
run once per token of every stream.
"""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import field, frozen

from triollama._errors import InvalidRequestError, Problem

from ._chunk import Chunk, DebugInfo, Logprob, check_calls, decode_unusual, unknown_fields
from ._fields import (
    check_flag,
    check_top_logprobs,
    format_field,
    keep_alive_field,
    model_field,
    think_field,
)
from ._fold import PARTS_MAX, Fold
from ._json import DECODE_ERRORS, counted, encode_body, veiled
from ._problems import all_problems
from .images import noting
from .messages import Message, MessagesInput, ToolCall, prepare_messages, read_files
from .options import options_to_json, runner_options
from .tools import prepare_tools
from .usage import Usage

__all__ = ["ChatChunk", "ChatFold", "ChatRequest", "ChatResponse", "decode_chat_chunk"]


@frozen(kw_only=True)
class ChatRequest:
    """A chat, checked when made. None leaves a field to the model and the server.

    Attributes:
        model: the model's name.
        messages: any form of `MessagesInput`; no message only loads the model.
        tools: the functions that the model may ask for.
        format: ``"json"`` or a JSON schema.
        options: sampling and runner options.
        keep_alive: how long the model stays loaded: seconds, a Go duration, or a timedelta.
        think: a boolean or ``"low"``, ``"medium"``, ``"high"``, ``"max"``.
        truncate: cut a conversation that is longer than the context (the server's default: true).
        shift: drop old tokens when the context is full; another value reloads the model.
        logprobs: give the log probability of each token.
        top_logprobs: alternatives per token, 0 to 20; needs ``logprobs``.
        debug_render_only: only render the prompt; the answer has `ChatResponse.debug_info`.

    Raises:
        InvalidRequestError: a field has the wrong type or value; the message names the field and
            shows no content.
    """

    model: str = field(converter=model_field)
    messages: tuple[Message, ...] = field(converter=prepare_messages, repr=counted)
    tools: tuple[dict[str, Any], ...] | None = field(
        default=None, converter=prepare_tools, repr=False
    )
    format: str | dict[str, Any] | None = field(default=None, converter=format_field, repr=False)
    options: dict[str, Any] | None = field(default=None, converter=options_to_json)
    keep_alive: float | str | None = field(default=None, converter=keep_alive_field)
    think: bool | str | None = field(default=None, converter=think_field)
    truncate: bool | None = field(default=None, validator=check_flag)
    shift: bool | None = field(default=None, validator=check_flag)
    logprobs: bool | None = field(default=None, validator=check_flag)
    top_logprobs: int | None = field(default=None, validator=check_top_logprobs)
    debug_render_only: bool | None = field(default=None, validator=check_flag)

    path = "/api/chat"

    @classmethod
    def make(cls, model: str, messages: MessagesInput, **fields: Any) -> ChatRequest:
        """Make a request, reading images that are given as paths.

        Blocks while it reads: from async code call it in a thread if `needs_files` says so. The
        constructor itself is pure, and refuses paths.

        Args:
            model: the model's name.
            messages: any form of `MessagesInput`.
            fields: the other attributes, by name.

        Raises:
            InvalidRequestError: see the class; also an image file that cannot be read.
        """
        try:
            return cls(model=model, messages=read_files(messages), **fields)
        except InvalidRequestError as first:
            noted: list[Problem] = []
            given = {"model": model, "messages": read_files(messages, noting(noted)), **fields}
            raise all_problems(cls, given, first, noted) from None

    @property
    def runner_options(self) -> tuple[tuple[str, int | bool], ...]:
        """What forces a server to reload the model if it differs, as a hashable value."""
        return runner_options(self.options, shift=self.shift)

    def body(self, *, stream: bool = True) -> bytes:
        """Encode the request's body; what is unset is left out.

        Raises:
            InvalidRequestError: a text cannot be encoded, or the body is too large.
        """
        return encode_body(
            {
                "model": self.model,
                "messages": self.messages,
                "stream": stream,
                "format": self.format,
                "keep_alive": self.keep_alive,
                "tools": self.tools,
                "options": self.options,
                "think": self.think,
                "truncate": self.truncate,
                "shift": self.shift,
                "logprobs": self.logprobs,
                "top_logprobs": self.top_logprobs,
                "_debug_render_only": self.debug_render_only,
            }
        )


class ChatChunk(Chunk, frozen=True, gc=False):
    """One event of a chat.

    Attributes:
        message: what this event adds to the answer.
    """

    message: Message = Message()

    def __repr__(self) -> str:
        return (
            f"ChatChunk(model={self.model!r}, content={veiled(self.message.content)}, "
            f"done={self.done}, arrived_ns={self.arrived_ns})"
        )

    @property
    def content(self) -> str:
        """The text that this event adds; often empty."""
        return self.message.content

    @property
    def thinking(self) -> str | None:
        """The thinking that this event adds."""
        return self.message.thinking

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The whole calls that this event adds; they come before or with the last event."""
        return self.message.tool_calls

    def with_parts(
        self, content: str, thinking: str | None, tool_calls: tuple[ToolCall, ...]
    ) -> ChatChunk:
        """The same event with other contents, and without logprobs, which belong to its own."""
        message = msgspec.structs.replace(
            self.message, content=content, thinking=thinking, tool_calls=tool_calls
        )
        return msgspec.structs.replace(self, message=message, logprobs=())

    @property
    def extra(self) -> dict[str, Any]:
        """Fields of the line that this library does not know, also those of its message.

        Decoded at each reading.
        """
        return unknown_fields(ChatChunk, self.line, message=Message)


@frozen(kw_only=True)
class ChatResponse:
    """A whole answer.

    Attributes:
        model: the name as the request had it.
        created_at: the server's time of the last event, RFC 3339.
        message: the answer as a message, to be put behind the messages of the next request.
        done: false if this is only what had arrived when it was asked for.
        done_reason: ``stop``, ``length``, ``load`` or ``unload``; None if not done.
        usage: tokens and durations; all 0 if not done.
        logprobs: of all tokens, if they were asked for.
        remote_model: the model behind a stub.
        remote_host: where it runs.
        debug_info: the rendered prompt, if it was asked for.
        line: the line of the last event.
    """

    model: str = ""
    created_at: str = ""
    message: Message
    done: bool = False
    done_reason: str | None = None
    usage: Usage = field(factory=Usage)
    logprobs: tuple[Logprob, ...] = field(default=(), repr=counted)
    remote_model: str | None = None
    remote_host: str | None = None
    debug_info: DebugInfo | None = None
    line: bytes = field(default=b"", repr=counted, eq=False)

    @property
    def content(self) -> str:
        """The whole text."""
        return self.message.content

    @property
    def thinking(self) -> str | None:
        """The whole thinking; None if there was none."""
        return self.message.thinking

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """All tool calls."""
        return self.message.tool_calls

    @property
    def extra(self) -> dict[str, Any]:
        """Fields of the last line that this library does not know; decoded at each reading.

        Raises:
            ProtocolError: such a field cannot be decoded.
        """
        return ChatChunk(line=self.line).extra


class ChatFold(Fold[ChatChunk]):
    """Folds the events of one chat into its answer."""

    __slots__ = ()

    def add(self, chunk: ChatChunk) -> None:
        """Add one event. The last one may carry content as well."""
        message = chunk.message
        parts = self._parts
        parts.append(message.content)
        if len(parts) == PARTS_MAX:
            self._gather()
        if chunk.done or self._first is None:
            self._mark(chunk)
        if message.thinking is not None or message.tool_calls or chunk.logprobs:
            self._add_rare(message.thinking, message.tool_calls, chunk.logprobs)

    def result(self, *, usage: Usage | None = None) -> ChatResponse:
        """Give the answer as far as it has arrived; more may be added afterwards.

        Args:
            usage: in place of the last event's, where several attempts made the answer.
        """
        last = self._last or self._begun()
        return ChatResponse(
            model=last.model,
            created_at=last.created_at,
            message=Message(
                role=last.message.role or "assistant",
                content=self.text,
                thinking=self.thinking,
                tool_calls=self.tool_calls,
            ),
            done=last.done,
            done_reason=last.done_reason,
            usage=usage or last.usage or Usage(),
            logprobs=tuple(self._logprobs),
            remote_model=last.remote_model,
            remote_host=last.remote_host,
            debug_info=last.debug_info,
            line=last.line,
        )

    def _begun(self) -> ChatChunk:
        """The first event, for what is told of an answer that is not whole."""
        if isinstance(self._first, bytes):
            return decode_chat_chunk(self._first, 0)
        return self._first or ChatChunk()


_decode = msgspec.json.Decoder(ChatChunk).decode
_stamp = msgspec.structs.force_setattr


def decode_chat_chunk(line: bytes, arrived_ns: int) -> ChatChunk:
    """Read one event of a chat, or a whole answer that was not streamed.

    An error line gives a chunk with ``error`` set.

    Args:
        line: one JSON object.
        arrived_ns: when it was received, on the clock of `time.perf_counter_ns`.

    Raises:
        ProtocolError: it is not JSON, or a field has the wrong type; the message has positions and
            types, and nothing of the line.
    """
    try:
        chunk = _decode(line)
    except DECODE_ERRORS as error:
        chunk = decode_unusual(ChatChunk, line, error, "a chat line")
    if chunk.message.tool_calls:
        check_calls(chunk.message.tool_calls, "a chat line")
    _stamp(chunk, "arrived_ns", arrived_ns)
    _stamp(chunk, "line", line)
    return chunk
