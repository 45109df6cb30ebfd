"""The events of ``/v1/chat/completions`` and ``/v1/completions`` as bytes, in the place of `lines`.

Owns the order of fields of ``ollama-api.md`` §7.1 and §7.2. The one difference: tokens that fall
due in one step of the driver, and are sent together, stand in an event each, as the native ones do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .encoding import Stamps, encode_json, text_bytes
from .lines import Answer, Lines, Usage
from .response import DELTA
from .vocabulary import Kind, Piece

__all__ = ["CompletionLines", "CreatedStamps", "OpenAiLines", "SecondsStamps", "openai_call"]

_DONE = b"data: [DONE]\n"
_CHOICE = b',"system_fingerprint":"fp_ollama","choices":[{"index":0,' + DELTA
_BEHIND = b'},"finish_reason":null}]}\n\n'
_AROUND = (
    (_CHOICE + b'"content":"', b'"' + _BEHIND),
    (_CHOICE + b'"content":"","reasoning":"', b'"' + _BEHIND),
    (_CHOICE + b'"content":"","tool_calls":', _BEHIND),
)
_NUMBERS = 999


class CreatedStamps(Stamps):
    """The time of an answer's beginning, which all its events have.

    Args:
        wall_ns: nanoseconds since 1970.
    """

    def __init__(self, wall_ns: int) -> None:
        super().__init__(wall_ns)
        self._seconds = b"%d" % (wall_ns // 1_000_000_000)

    def created_at(self, now: float) -> bytes:  # noqa: ARG002  # it is that of the beginning
        """The beginning, in seconds since 1970."""
        return self._seconds


class SecondsStamps(Stamps):
    """The time of each event, in whole seconds.

    Args:
        stamps: tells the time.
    """

    def __init__(self, stamps: Stamps) -> None:
        super().__init__(stamps.wall_ns(0.0))

    def created_at(self, now: float) -> bytes:
        """The time, in seconds since 1970."""
        return b"%d" % (self.wall_ns(now) // 1_000_000_000)


class OpenAiLines(Lines):
    """Writes the events of one request.

    Args:
        model: the name as it was sent.
        number: part of the answer's ``id``.
        is_stream: whether it is a stream of events.
        has_usage: whether the stream ends with the counts of tokens.
    """

    def __init__(self, model: str, number: int, *, is_stream: bool, has_usage: bool) -> None:
        super().__init__(model, is_chat=True)
        self._model = b',"model":"' + text_bytes(model) + b'"'
        self._id = b'{"id":"chatcmpl-%d","object":"chat.completion' % (number % _NUMBERS)
        self._is_stream = is_stream
        self._has_usage = has_usage
        self.head = b"data: " + self._id + b'.chunk","created":'
        self.around = tuple((self._model + before, behind) for before, behind in _AROUND)

    def event(
        self, kind: int, encoded: bytes, created_at: bytes, logprobs: Sequence[Any] = ()
    ) -> bytes:
        """Write one event before the last; see `Lines.event`."""
        if kind == Kind.MARK:
            kind, encoded = Kind.CONTENT, b""
        before, behind = self.around[kind]
        if logprobs:
            content = encode_json({"content": logprobs})
            behind = behind.replace(_BEHIND, b"}" + b',"logprobs":' + content + _BEHIND[1:])
        return b"".join((self.head, created_at, before, encoded, behind))

    def last(self, answer: Answer, created_at: bytes) -> bytes:
        """Write what ends a stream, or the whole object; a line end is still to come."""
        usage = b'"usage":' + encode_json(_usage(answer.usage))
        if not self._is_stream:
            return self._whole(answer, created_at, usage) + b"\n"
        about = created_at + self._model + b',"system_fingerprint":"fp_ollama","choices":['
        finish = b'{"index":0,"delta":{},"finish_reason":"%b"}]}\n\n' % answer.reason.encode()
        parts = [self.head, about, finish]
        if self._has_usage:
            parts += [self.head, about, b"],", usage, b"}\n\n"]
        return b"".join([*parts, _DONE])

    def _whole(self, answer: Answer, created_at: bytes, usage: bytes) -> bytes:
        message: dict[str, Any] = {"role": answer.role, "content": answer.content}
        if answer.thinking:
            message["reasoning"] = answer.thinking
        if answer.tool_calls:
            message["tool_calls"] = list(answer.tool_calls)
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": answer.reason}
        if answer.logprobs:
            choice["logprobs"] = {"content": list(answer.logprobs)}
        about = b'","created":' + created_at + self._model + b',"system_fingerprint":"fp_ollama"'
        return self._id + about + b',"choices":[' + encode_json(choice) + b"]," + usage + b"}"


class CompletionLines(Lines):
    """Writes the events of one request of ``/v1/completions``; logprobs are never among them.

    Args:
        model: the name as it was sent.
        number: part of the answer's ``id``.
        is_stream: whether it is a stream of events.
        has_usage: whether the stream ends with the counts of tokens.
    """

    def __init__(self, model: str, number: int, *, is_stream: bool, has_usage: bool) -> None:
        super().__init__(model, is_chat=False)
        about = b'{"id":"cmpl-%d","object":"text_completion","created":' % (number % _NUMBERS)
        self._model = b',"model":"' + text_bytes(model) + b'","system_fingerprint":"fp_ollama"'
        self._is_stream = is_stream
        self._has_usage = has_usage
        self._counts = b',"usage":' + encode_json(_usage(Usage())) if has_usage else b""
        self.head = b"data: " + about if is_stream else about
        behind = b'","index":0,"finish_reason":null}]' + self._model + self._counts + b"}\n\n"
        self.around = ((b',"choices":[{"text":"', behind),) * 3

    def event(
        self, kind: int, encoded: bytes, created_at: bytes, logprobs: Sequence[Any] = ()
    ) -> bytes:
        """Write one event before the last; see `Lines.event`."""
        del kind, logprobs
        before, behind = self.around[0]
        return b"".join((self.head, created_at, before, encoded, behind))

    def last(self, answer: Answer, created_at: bytes) -> bytes:
        """Write what ends a stream, or the whole object; a line end is still to come."""
        choice = {"text": answer.content, "index": 0, "finish_reason": answer.reason or None}
        usage = b',"usage":' + encode_json(_usage(answer.usage))
        parts = [self.head, created_at, b',"choices":[', encode_json(choice), b"]", self._model]
        if not self._is_stream:
            return b"".join([*parts, usage, b"}\n"])
        parts += [self._counts, b"}\n\n"]
        if self._has_usage:
            parts += [self.head, created_at, b',"choices":[]', self._model, usage, b"}\n\n"]
        return b"".join([*parts, _DONE])


def openai_call(piece: Piece) -> Piece:
    """Turn the piece of a native call of a tool into OpenAI's shape: its arguments are a text."""
    call = json.loads(piece.text)
    function = call["function"]
    arguments = encode_json(function["arguments"]).decode()
    made = {
        "id": call["id"],
        "index": function["index"],
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }
    return piece._replace(text=json.dumps(made), encoded=encode_json([made]))


def _usage(usage: Usage) -> dict[str, int]:
    read, written = usage.prompt_tokens, usage.tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
