"""The requests of the inference routes, decoded and checked.

Owns the table of fields of each route and the checks that need no model; those that need one are in
`text_job` and `embed_job`. The order of checks follows ``ollama-api.md`` §2 and §5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from attrs import field, frozen

from .errors import ApiError
from .fields import (
    Field,
    boolean,
    images,
    integer,
    keep_alive,
    mismatch,
    object_of,
    raw,
    read_fields,
    string,
    think,
)
from .template import Message

__all__ = ["EmbedCall", "TextCall", "read_chat", "read_embed", "read_embeddings", "read_generate"]


@frozen(kw_only=True)
class TextCall:
    """A generate or chat request.

    Attributes:
        model: the name as it was sent.
        stream: whether the answer is a stream.
        options: unchecked.
        keep_alive_s: how long the model stays; None leaves it; negative is for ever.
        format: unchecked.
        think: None if the request does not say.
        truncate: whether an over-long prompt is cut.
        shift: whether the context is shifted when it is full.
        logprobs: whether they are given.
        top_logprobs: how many alternatives.
        debug: whether only the rendered prompt is wanted.
        is_chat: whether it came to ``/api/chat``.
        messages: of a chat.
        tools: of a chat, as JSON.
        prompt: of a generate.
        system: of a generate; empty is the model's.
        raw: whether the prompt goes to the model as it is.
        context: tokens of the answer before.
        images: of a generate.
        suffix: of a generate.
        is_openai: whether it came to a route under ``/v1``.
        has_usage: whether the stream of such a one ends with the counts of tokens.
        dialect: the API whose words the answer is in, if it came to ``/v1/messages`` or
            ``/v1/responses``.
        transcript: the form of the answer, if it came to ``/v1/audio/transcriptions``.
    """

    model: str = ""
    stream: bool = True
    options: dict[str, Any] = field(factory=dict)
    keep_alive_s: float | None = None
    format: Any = None
    think: bool | str | None = None
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: int = 0
    debug: bool = False
    is_chat: bool = False
    messages: tuple[Message, ...] = ()
    tools: tuple[Any, ...] = ()
    prompt: str = ""
    system: str = ""
    raw: bool = False
    context: tuple[int, ...] = ()
    images: tuple[bytes, ...] = ()
    suffix: str = ""
    is_openai: bool = False
    has_usage: bool = False
    dialect: Literal["", "messages", "responses"] = ""
    transcript: Literal["", "json", "text"] = ""


@frozen(kw_only=True)
class EmbedCall:
    """An embed request, also of the legacy kind.

    Attributes:
        model: the name as it was sent.
        inputs: the texts; empty to load only.
        truncate: whether an over-long text is cut.
        dimensions: how many to keep; 0 keeps all.
        options: unchecked.
        keep_alive_s: how long the model stays.
        is_legacy: whether it came to ``/api/embeddings``.
        encoding: of the vectors, if it came to ``/v1/embeddings``: ``float`` or ``base64``.
    """

    model: str = ""
    inputs: tuple[str, ...] = ()
    truncate: bool = True
    dimensions: int = 0
    options: dict[str, Any] = field(factory=dict)
    keep_alive_s: float | None = None
    is_legacy: bool = False
    encoding: Literal["", "float", "base64"] = ""


def _objects(value: Any, where: str, kind: str) -> Iterator[dict[str, Any]]:
    """Read an array of objects; null in it is an empty one, as in Go."""
    if not isinstance(value, list):
        raise mismatch(value, where, f"[]api.{kind}")
    for item in value:
        yield object_of({} if item is None else item, where)


_FUNCTION: dict[str, Field] = {
    "name": string,
    "description": string,
    "parameters": object_of,
    "arguments": object_of,
}


def _functions(value: Any, where: str, kind: str) -> tuple[dict[str, Any], ...]:
    """Read tools, or calls of them: as they came, but for the types of what is read here."""
    found = []
    for item in _objects(value, where, kind):
        read = read_fields(item, {"function": object_of, "id": string}, kind)
        read_fields(read.get("function", {}), _FUNCTION, f"{kind}Function")
        found.append(item)
    return tuple(found)


def _tools(value: Any, where: str) -> tuple[dict[str, Any], ...]:
    return _functions(value, where, "Tool")


def _tool_calls(value: Any, where: str) -> tuple[dict[str, Any], ...]:
    return _functions(value, where, "ToolCall")


def _integers(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise mismatch(value, where, "[]int")
    return tuple(integer(item, where) for item in value)


_MESSAGE: dict[str, Field] = {
    "role": string,
    "content": string,
    "thinking": string,
    "images": images,
    "tool_calls": _tool_calls,
    "tool_name": string,
    "tool_call_id": string,
}


def _messages(value: Any, where: str) -> tuple[Message, ...]:
    return tuple(_message(item) for item in _objects(value, where, "Message"))


def _message(item: dict[str, Any]) -> Message:
    found = read_fields(item, _MESSAGE, "Message")
    found.pop("tool_call_id", None)
    found["role"] = found.get("role", "").lower()
    return Message(**found)


_COMMON: dict[str, Field] = {
    "model": string,
    "stream": boolean,
    "options": object_of,
    "keep_alive": keep_alive,
    "format": raw,
    "think": think,
    "truncate": boolean,
    "shift": boolean,
    "logprobs": boolean,
    "top_logprobs": integer,
    "_debug_render_only": boolean,
}
_CHAT = _COMMON | {"messages": _messages, "tools": _tools}
_GENERATE = _COMMON | {
    "prompt": string,
    "suffix": string,
    "system": string,
    "template": string,
    "context": _integers,
    "raw": boolean,
    "images": images,
}
_EMBED: dict[str, Field] = {
    "model": string,
    "input": raw,
    "truncate": boolean,
    "dimensions": integer,
    "keep_alive": keep_alive,
    "options": object_of,
}
_EMBEDDINGS: dict[str, Field] = {
    "model": string,
    "prompt": string,
    "keep_alive": keep_alive,
    "options": object_of,
}
_RENAMED = {"keep_alive": "keep_alive_s", "_debug_render_only": "debug"}


def _read(value: dict[str, Any], fields: dict[str, Field], struct: str) -> dict[str, Any]:
    found = read_fields(value, fields, struct)
    return {_RENAMED.get(name, name): item for name, item in found.items()}


def read_chat(value: dict[str, Any]) -> TextCall:
    """Read the body of ``/api/chat``.

    Raises:
        ApiError: 400 for what no model would accept.
    """
    call = TextCall(is_chat=True, **_read(value, _CHAT, "ChatRequest"))
    _check_logprobs(call)
    return call


def read_generate(value: dict[str, Any]) -> TextCall:
    """Read the body of ``/api/generate``.

    Raises:
        ApiError: 400 for what no model would accept.
    """
    found = _read(value, _GENERATE, "GenerateRequest")
    # Real templates are Go's; the simulator has one for all, so a request's own changes nothing.
    has_template = bool(found.pop("template", ""))
    call = TextCall(**found)
    _check_logprobs(call)
    if call.raw and (has_template or call.system or call.context):
        raise ApiError(400, "raw mode does not support template, system, or context")
    return call


def _check_logprobs(call: TextCall) -> None:
    if not 0 <= call.top_logprobs <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")


def read_embed(value: dict[str, Any]) -> EmbedCall:
    """Read the body of ``/api/embed``.

    Raises:
        ApiError: 400 for an input that is neither a text nor an array of texts.
    """
    found = _read(value, _EMBED, "EmbedRequest")
    given = found.pop("input", None)
    if isinstance(given, list) and all(isinstance(item, str) for item in given):
        inputs = tuple(given)
    elif isinstance(given, str):
        inputs = (given,) if given else ()
    elif given is None:
        inputs = ()
    else:
        raise ApiError(400, "invalid input type")
    return EmbedCall(inputs=inputs, **found)


def read_embeddings(value: dict[str, Any]) -> EmbedCall:
    """Read the body of the legacy ``/api/embeddings``.

    Raises:
        ApiError: 400 for fields of the wrong type.
    """
    found = _read(value, _EMBEDDINGS, "EmbeddingRequest")
    prompt = found.pop("prompt", "")
    return EmbedCall(inputs=(prompt,) if prompt else (), is_legacy=True, **found)
