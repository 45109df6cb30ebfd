"""The events of generate and chat as bytes: one table for the two shapes.

Owns the order of fields of ``ollama-api.md`` §2.1 and §2.2. All of an event that does not change
within a stream is encoded once; per token only the time and the text are put between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from .encoding import encode_json, text_bytes
from .vocabulary import Kind

__all__ = ["Answer", "Lines", "Usage"]

# By `Kind`: what stands before and behind a piece.
_GENERATE = (
    (b'","response":"', b'"'),
    (b'","response":"","thinking":"', b'"'),
    (b'","response":"","tool_calls":', b""),
)
_ASSISTANT = b'","message":{"role":"assistant","content":"'
_CHAT = (
    (_ASSISTANT, b'"}'),
    (_ASSISTANT + b'","thinking":"', b'"}'),
    (_ASSISTANT + b'","tool_calls":', b"}"),
)


@frozen
class Usage:
    """The six metrics; zeros are left out of the event.

    Attributes:
        total_ns: from the request's arrival to its last event.
        load_ns: from its arrival to a loaded model, waiting included.
        prompt_tokens: tokens of the prompt.
        prompt_ns: reading it.
        tokens: tokens written.
        eval_ns: writing them.
    """

    total_ns: int = 0
    load_ns: int = 0
    prompt_tokens: int = 0
    prompt_ns: int = 0
    tokens: int = 0
    eval_ns: int = 0

    def encoded(self) -> bytes:
        """The metrics as they stand in an event, each with a comma before it."""
        fields = (
            (b"total_duration", self.total_ns),
            (b"load_duration", self.load_ns),
            (b"prompt_eval_count", self.prompt_tokens),
            (b"prompt_eval_duration", self.prompt_ns),
            (b"eval_count", self.tokens),
            (b"eval_duration", self.eval_ns),
        )
        return b"".join(b',"%b":%d' % (name, value) for name, value in fields if value)


@frozen(kw_only=True)
class Answer:
    """A whole answer, or what is left to say in the last event.

    Attributes:
        content: the text.
        thinking: what was thought.
        tool_calls: as JSON.
        done: false only where no answer was made.
        reason: why it ended; empty for none.
        context: tokens to go on from; None for none.
        usage: the metrics.
        logprobs: entries; empty for none.
        debug: the rendered prompt with its number of images; None for none.
        role: of a chat's message.
    """

    content: str = ""
    thinking: str = ""
    tool_calls: Sequence[Any] = ()
    done: bool = True
    reason: str = ""
    context: Sequence[int] | None = None
    usage: Usage = Usage()
    logprobs: Sequence[Any] = ()
    debug: tuple[str, int] | None = None
    role: str = "assistant"


class Lines:
    """Writes the events of one request.

    Args:
        model: the name as it was sent.
        is_chat: which of the two shapes.
    """

    def __init__(self, model: str, *, is_chat: bool) -> None:
        self._is_chat = is_chat
        self.head = b'{"model":"' + text_bytes(model) + b'","created_at":"'
        self.around = tuple(
            (before, behind + b',"done":false}\n')
            for before, behind in (_CHAT if is_chat else _GENERATE)
        )

    def event(
        self, kind: int, encoded: bytes, created_at: bytes, logprobs: Sequence[Any] = ()
    ) -> bytes:
        """Write one event before the last.

        Args:
            kind: the field that the piece goes into, of `Kind`.
            encoded: the piece as it stands in JSON.
            created_at: the time.
            logprobs: entries; empty for none.
        """
        if kind == Kind.MARK:
            kind, encoded = Kind.CONTENT, b""
        before, behind = self.around[kind]
        if logprobs:
            behind = behind[:-2] + b',"logprobs":' + encode_json(logprobs) + b"}\n"
        return b"".join((self.head, created_at, before, encoded, behind))

    def last(self, answer: Answer, created_at: bytes) -> bytes:
        """Write the last event, or the whole object of a request without a stream; no line end."""
        done = b'"done":true' if answer.done else b'"done":false'
        parts = [self.head, created_at, self._said(answer), done]
        if answer.reason:
            parts.append(b',"done_reason":"%b"' % answer.reason.encode())
        debug = b""
        if answer.debug is not None:
            text, images = answer.debug
            info: dict[str, Any] = {"rendered_template": text}
            debug = b',"_debug_info":' + encode_json(
                info | ({"image_count": images} if images else {})
            )
        logprobs = b',"logprobs":' + encode_json(answer.logprobs) if answer.logprobs else b""
        usage = answer.usage.encoded()
        if self._is_chat:
            parts += [debug, logprobs, usage]
        else:
            context = b',"context":' + encode_json(answer.context) if answer.context else b""
            calls = b""
            if answer.tool_calls:
                calls = b',"tool_calls":' + encode_json(answer.tool_calls)
            parts += [context, usage, calls, debug, logprobs]
        parts.append(b"}")
        return b"".join(parts)

    def _said(self, answer: Answer) -> bytes:
        """Write the text of the last event, from its first quote to the comma before ``done``."""
        if not self._is_chat:
            text: dict[str, Any] = {"response": answer.content}
            if answer.thinking:
                text["thinking"] = answer.thinking
            return b'",' + encode_json(text)[1:-1] + b","
        message: dict[str, Any] = {"role": answer.role, "content": answer.content}
        if answer.thinking:
            message["thinking"] = answer.thinking
        if answer.tool_calls:
            message["tool_calls"] = list(answer.tool_calls)
        return b'","message":' + encode_json(message) + b","
