"""Outcomes into lines of OpenAI's output and error files. No IO.

The bodies are those of Ollama's own ``/v1`` (``ollama-api.md`` §7.1, §7.2). Ids are made of the
row's digest and number, so that the same row gives the same line however often a job is begun.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from triollama import (
    ChatResponse,
    EmbedResponse,
    GenerateResponse,
    Logprob,
    RequestRejectedError,
    Usage,
)
from triollama.api import parse_time
from triollama_adapters.batch.output.outcomes import Way, way_fields
from triollama_adapters.batch.output.records import (
    NOTHING,
    UNSPENT,
    Fields,
    Partial,
    kind_of,
    partial_of,
)
from triollama_adapters.batch.rows import Answer, Row, RowError

__all__ = ["OpenAIRecords"]

_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
"""What Ollama calls an error of a status; any other is ``api_error``."""

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class OpenAIRecords:
    """Lines as OpenAI's batch API gives them, with ``index`` besides."""

    def answer(
        self,
        row: Row,
        answer: Answer,
        way: Way | None = None,  # noqa: ARG002
        more: Fields = NOTHING,
    ) -> bytes:
        """The line of a complete answer; it has no place for how it came about.

        Fields of ours, such as of a vote, stand beside the response.
        """
        match answer:
            case ChatResponse():
                body = _chat_body(row, answer)
            case GenerateResponse():
                body = _completion_body(row, answer)
            case EmbedResponse():
                body = _embedding_body(row, answer)
        return _line(row, _response(row, 200, body), None, more)

    def error(
        self,
        row: Row,
        error: RowError | Exception,
        way: Way | None = None,
        partial: Partial | None = None,
        more: Fields = NOTHING,
        *,
        spent: Usage = UNSPENT,
    ) -> bytes:
        """The line of a row that failed for good.

        What a server refused has a ``response`` with its status, everything else an ``error`` with
        ``code`` and ``message``. Attempts, what had arrived and what it cost stand beside, under
        names of ours.
        """
        kind, message = kind_of(error)
        beside = dict(more) if way is None else {**more, "attempts": way_fields(way)["attempts"]}
        if (partial := partial or partial_of(error)) is not None:
            beside["partial"] = partial.as_fields()
        if spent != UNSPENT:
            beside["usage"] = _usage(spent)
        if isinstance(error, RequestRejectedError):
            told = {"message": message, "type": _TYPES.get(error.status, "api_error")}
            body = {"error": {**told, "param": None, "code": kind}}
            return _line(row, _response(row, error.status, body), None, beside)
        return _line(row, None, {"code": kind, "message": message}, beside)


def _line(row: Row, response: Any, error: Any, more: Fields = NOTHING) -> bytes:
    known_as = row.ask.custom_id if row.ask is not None else None
    record = {
        "id": f"batch_req_{_id(row)}",
        "index": row.number,
        "custom_id": known_as or row.custom_id or f"row-{row.number}",
        "response": response,
        "error": error,
        **more,
    }
    return _encode(record) + b"\n"


def _response(row: Row, status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"status_code": status, "request_id": f"req_{_id(row)}", "body": body}


def _id(row: Row) -> str:
    return f"{row.digest.hex()}_{row.number}"


def _chat_body(row: Row, answer: ChatResponse) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.content}
    if answer.thinking:
        message["reasoning"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = _calls(answer)
    choice: dict[str, Any] = {"index": 0, "message": message}
    choice["finish_reason"] = "tool_calls" if answer.tool_calls else answer.done_reason
    if answer.logprobs:
        choice["logprobs"] = {"content": _logprobs(answer.logprobs)}
    return _text_body(row, answer, "chat.completion", "chatcmpl", choice)


def _completion_body(row: Row, answer: GenerateResponse) -> dict[str, Any]:
    choice = {"text": answer.content, "index": 0, "finish_reason": answer.done_reason}
    return _text_body(row, answer, "text_completion", "cmpl", choice)


def _text_body(
    row: Row, answer: ChatResponse | GenerateResponse, kind: str, prefix: str, choice: Any
) -> dict[str, Any]:
    made = parse_time(answer.created_at)
    return {
        "id": f"{prefix}-{_id(row)}",
        "object": kind,
        "created": 0 if made is None else int(made.timestamp()),
        "model": answer.model or _model(row),
        "system_fingerprint": "fp_ollama",
        "choices": [choice],
        "usage": _usage(answer.usage),
    }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.prompt_tokens + usage.output_tokens,
    }


def _embedding_body(row: Row, answer: EmbedResponse) -> dict[str, Any]:
    is_packed = row.ask is not None and row.ask.encoding == "base64"
    tokens = answer.usage.prompt_tokens
    return {
        "object": "list",
        "data": [
            {
                "object": "embedding",
                "embedding": _packed(vector) if is_packed else vector,
                "index": at,
            }
            for at, vector in enumerate(answer.embeddings)
        ],
        "model": answer.model or _model(row),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _packed(vector: Sequence[float]) -> str:
    """A vector as base64 of little-endian floats of 32 bits."""
    data = array("f", vector)
    if sys.byteorder == "big":
        data.byteswap()
    return base64.b64encode(data.tobytes()).decode()


def _calls(answer: ChatResponse) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "index": at,
            "type": "function",
            "function": {
                "name": call.function.name,
                "arguments": _encode(call.function.arguments).decode(),
            },
        }
        for at, call in enumerate(answer.tool_calls)
    ]


def _logprobs(tokens: Sequence[Logprob]) -> list[dict[str, Any]]:
    return [
        {
            "token": each.token,
            "logprob": each.logprob,
            "bytes": each.bytes,
            "top_logprobs": _logprobs(each.top_logprobs),
        }
        for each in tokens
    ]


def _model(row: Row) -> str:
    return row.ask.model if row.ask is not None else ""
