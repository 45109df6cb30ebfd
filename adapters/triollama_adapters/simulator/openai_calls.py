"""Requests of OpenAI's routes, turned into those of Ollama's own.

Owns what of OpenAI's fields Ollama honours (``ollama-api.md`` §7.1, §7.2); it ignores the others,
and so does this. The answers are the same as by ``/api/chat``, ``/api/generate`` and
``/api/embed``, in the words of `openai_lines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from attrs import evolve

from .calls import EmbedCall, TextCall, read_chat, read_generate
from .encoding import decode_json
from .errors import ApiError
from .fields import Field, boolean, integer, object_of, objects, raw, read_fields, string

__all__ = ["data_of", "effort_of", "read_completion", "read_openai_embed", "read_text_completion"]

_OPTIONS = {
    "max_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
_SAME = ("model", "tools", "logprobs", "top_logprobs")
_FIELDS: dict[str, Field] = {
    **dict.fromkeys((*_OPTIONS, *_SAME, "messages", "stop", "reasoning_effort"), raw),
    **dict.fromkeys(("stream_options", "response_format", "reasoning"), object_of),
    "stream": boolean,
}
_TEXT_FIELDS: dict[str, Field] = {
    **dict.fromkeys((*_OPTIONS, "stop"), raw),
    **dict.fromkeys(("model", "prompt", "suffix"), string),
    "stream_options": object_of,
    "stream": boolean,
}
_EMBED_FIELDS: dict[str, Field] = {
    "model": string,
    "input": raw,
    "dimensions": integer,
    "encoding_format": string,
}
_ENCODINGS: dict[str, Literal["float", "base64"]] = {"float": "float", "base64": "base64"}
_EFFORTS: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
    "xhigh": "max",
    "ultra": "max",
}
_URI_HEADS = (
    *(f"data:image/{kind};base64," for kind in ("jpeg", "jpg", "png", "webp")),
    "data:;base64,",
)


def read_completion(value: dict[str, Any]) -> TextCall:
    """Read the body of ``/v1/chat/completions``.

    Raises:
        ApiError: 400 for what Ollama would not accept.
    """
    value = read_fields(value, _FIELDS, "ChatCompletionRequest")
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "[] is too short - 'messages'")
    chat: dict[str, Any] = {name: value[name] for name in _SAME if name in value}
    chat["messages"] = [part for message in messages for part in _parts(message)]
    chat["stream"] = value.get("stream", False)
    chat["options"] = _options(value)
    wanted = value.get("response_format", {})
    if wanted.get("type") == "json_object":
        chat["format"] = "json"
    elif wanted.get("type") == "json_schema":
        chat["format"] = object_of(wanted.get("json_schema") or {}, "json_schema").get("schema")
    effort = value.get("reasoning", {}).get("effort") or value.get("reasoning_effort")
    if effort is not None:
        chat["think"] = effort_of(effort)
    has_usage = bool(value.get("stream_options", {}).get("include_usage"))
    return evolve(read_chat(chat), is_openai=True, has_usage=has_usage)


def effort_of(effort: Any) -> bool | str:
    """Read how much a model is to think.

    Raises:
        ApiError: 400 for a word that is not known.
    """
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise ApiError(400, f"invalid reasoning value: '{effort}'")
    return _EFFORTS[effort]


def read_text_completion(value: dict[str, Any]) -> TextCall:
    """Read the body of ``/v1/completions``.

    Raises:
        ApiError: 400 for fields of the wrong type.
    """
    value = read_fields(value, _TEXT_FIELDS, "CompletionRequest")
    asked: dict[str, Any] = {
        name: value[name] for name in ("model", "prompt", "suffix") if name in value
    }
    asked["stream"] = value.get("stream", False)
    asked["options"] = _options(value)
    has_usage = bool(value.get("stream_options", {}).get("include_usage"))
    return evolve(read_generate(asked), is_openai=True, has_usage=has_usage)


def read_openai_embed(value: dict[str, Any]) -> EmbedCall:
    """Read the body of ``/v1/embeddings``; an empty text is embedded, no text is an error.

    Raises:
        ApiError: 400 for an input that is neither a text nor an array of texts.
    """
    found = read_fields(value, _EMBED_FIELDS, "EmbedRequest")
    given = found.get("input")
    if given is None or given == []:
        raise ApiError(400, "invalid input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not all(isinstance(item, str) for item in inputs):
        raise ApiError(400, "invalid input type")
    encoding = found.get("encoding_format") or "float"
    wanted = _ENCODINGS.get(encoding.lower())
    if wanted is None:
        told = f"Invalid value for 'encoding_format' = {encoding}. Supported values: "
        raise ApiError(400, told + "['float', 'base64'].")
    return EmbedCall(
        model=found.get("model", ""),
        inputs=tuple(inputs),
        dimensions=found.get("dimensions", 0),
        encoding=wanted,
    )


def _options(value: dict[str, Any]) -> dict[str, Any]:
    options = {mine: value[name] for name, mine in _OPTIONS.items() if name in value}
    if "stop" in value:
        stop = value["stop"]
        options["stop"] = [stop] if isinstance(stop, str) else stop
    return options


def _parts(message: Any) -> Iterator[dict[str, Any]]:
    """Give the messages of one: each part of an array is a message of its own."""
    message = object_of(message, "Message")
    plain = {"role": message["role"]} if message.get("role") else {}
    if message.get("tool_calls"):
        plain["tool_calls"] = [
            _tool_call(call) for call in objects(message["tool_calls"], "Message.tool_calls")
        ]
    content = message.get("content")
    if isinstance(content, str) or (content is None and message.get("tool_calls")):
        yield {**plain, "content": content or ""}
    elif isinstance(content, list):
        yield from ({**plain, **_part(object_of(part, "content"))} for part in content)
    else:
        shown = "<nil>" if content is None else type(content).__name__
        raise ApiError(400, f"invalid message content type: {shown}")


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    """A call as the native route has it: here its arguments are a text."""
    function = object_of(call.get("function") or {}, "ToolCallFunction")
    try:
        arguments = decode_json(function["arguments"].encode())
    except (AttributeError, EOFError, KeyError, ValueError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ApiError(400, "invalid tool call arguments")
    told = {"name": function.get("name", ""), "arguments": arguments}
    return {"id": call.get("id", ""), "function": told}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"content": part.get("text", "")}
    if part.get("type") == "input_audio":
        heard = object_of(part.get("input_audio") or {}, "input_audio").get("data", "")
        return {"content": "", "images": [heard]}
    if part.get("type") != "image_url":
        raise ApiError(400, "invalid message format")
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    return {"content": "", "images": [data_of(url)]}


def data_of(url: Any) -> str:
    """Take the base64 out of an image's address, which must hold it.

    Raises:
        ApiError: 400 for any other address.
    """
    if not isinstance(url, str):
        raise ApiError(400, "invalid message format")
    if url.startswith(("http://", "https://")):
        what = "image URLs are not currently supported, please use base64 encoded data instead"
        raise ApiError(400, what)
    data = next((url[len(head) :] for head in _URI_HEADS if url.startswith(head)), None)
    if data is None:
        raise ApiError(400, "invalid image input")
    return data
