"""Requests of ``/v1/responses``, turned into chats (``ollama-api.md`` §7.3).

Owns what of their items and fields Ollama honours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from .calls import TextCall, read_chat
from .encoding import decode_json
from .errors import ApiError
from .fields import Field, boolean, object_of, objects, raw, read_fields, string
from .openai_calls import data_of, effort_of

__all__ = ["read_responses"]

_OPTIONS = {"max_output_tokens": "num_predict", "temperature": "temperature", "top_p": "top_p"}
_FIELDS: dict[str, Field] = {
    **dict.fromkeys((*_OPTIONS, "input", "tools"), raw),
    **dict.fromkeys(("model", "instructions"), string),
    **dict.fromkeys(("reasoning", "text"), object_of),
    "stream": boolean,
}


def read_responses(value: dict[str, Any]) -> TextCall:
    """Read the body of ``/v1/responses``.

    Raises:
        ApiError: 400 for what Ollama would not accept.
    """
    found = read_fields(value, _FIELDS, "ResponsesRequest")
    messages: list[dict[str, Any]] = []
    if found.get("instructions"):
        messages.append({"role": "system", "content": found["instructions"]})
    given = found.get("input") or []
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    elif isinstance(given, list):
        for number, item in enumerate(given):
            messages += _messages(number, object_of(item, "input"))
    else:
        raise ApiError(400, "input must be a string or array")
    chat: dict[str, Any] = {
        "model": found.get("model", ""),
        "messages": messages,
        "stream": found.get("stream", False),
        "options": {mine: found[name] for name, mine in _OPTIONS.items() if name in found},
        "tools": list(_tools(objects(found.get("tools"), "tools"))),
    }
    form = object_of(found.get("text", {}).get("format") or {}, "format")
    if form.get("type") == "json_schema":
        chat["format"] = form.get("schema")
    effort = found.get("reasoning", {}).get("effort")
    if effort is not None:
        chat["think"] = effort_of(effort)
    return evolve(read_chat(chat), dialect="responses")


def _tools(tools: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the functions; those of a namespace have its name before theirs."""
    for item in tools:
        if item.get("type") == "namespace":
            for inner in objects(item.get("tools"), "tools"):
                yield _tool(inner, f"{item.get('name', '')}.")
        elif item.get("type") == "function":
            yield _tool(item, "")


def _tool(tool: dict[str, Any], head: str) -> dict[str, Any]:
    kept = ("description", "parameters")
    function = {name: tool[name] for name in kept if tool.get(name) is not None}
    return {
        "type": "function",
        "function": {"name": head + string(tool.get("name", ""), "name"), **function},
    }


def _messages(number: int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the messages of one item."""
    said = {"role": "assistant", "content": ""}
    match item.get("type") or ("message" if "role" in item else ""):
        case "message":
            yield {"role": item.get("role") or "user", **_content(item.get("content") or "")}
        case "function_call":
            arguments = _arguments(item.get("arguments") or "{}")
            function = {"name": item.get("name", ""), "arguments": arguments}
            yield {**said, "tool_calls": [{"id": item.get("call_id", ""), "function": function}]}
        case "function_call_output":
            made = _content(item.get("output") or "")
            yield {"role": "tool", "tool_call_id": item.get("call_id", ""), **made}
        case "reasoning":
            yield {**said, "thinking": item.get("encrypted_content") or ""}
        case "web_search_call":
            pass
        case kind:
            raise ApiError(400, f'input[{number}]: unknown input item type: "{kind}"')


def _arguments(text: Any) -> Any:
    """Read what a call was given, which is a text that holds JSON."""
    try:
        return decode_json(string(text, "arguments").encode("utf-8", "replace"))
    except (EOFError, ValueError):
        raise ApiError(400, "failed to parse function call arguments") from None


def _content(content: Any) -> dict[str, Any]:
    if isinstance(content, str):
        return {"content": content}
    texts: list[str] = []
    images: list[str] = []
    for part in content if isinstance(content, list) else ():
        kind = object_of(part, "content").get("type")
        if kind in {"input_text", "output_text"}:
            texts.append(string(part.get("text", ""), "text"))
        elif kind == "input_image":
            images.append(data_of(string(part.get("image_url") or "", "image_url")))
        elif kind == "input_file":
            raise ApiError(400, "file inputs are not currently supported")
    made: dict[str, Any] = {"content": "".join(texts)}
    return made | {"images": images} if images else made
