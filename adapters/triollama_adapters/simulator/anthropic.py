"""``/v1/messages`` (``ollama-api.md`` §7.4): its requests, turned into chats, and its answers.

Owns what of Anthropic's fields Ollama honours, and the order of its events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from attrs import evolve

from .calls import TextCall, read_chat
from .errors import ApiError
from .fields import Field, boolean, integer, object_of, objects, raw, read_fields, string
from .translated import sse

__all__ = ["MessagesTranslator", "read_messages"]

_OPTIONS = {
    "max_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_sequences": "stop",
}
_FIELDS: dict[str, Field] = {
    **dict.fromkeys(("temperature", "top_p", "top_k", "stop_sequences", "system"), raw),
    **dict.fromkeys(("thinking", "output_config"), object_of),
    **dict.fromkeys(("messages", "tools"), raw),
    "model": string,
    "max_tokens": integer,
    "stream": boolean,
}
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "max": "max", "xhigh": "high"}
_STOPS = {"stop": "end_turn", "length": "max_tokens"}
_CHARACTERS_PER_TOKEN = 4


def read_messages(value: dict[str, Any]) -> TextCall:
    """Read the body of ``/v1/messages``.

    Raises:
        ApiError: 400 for what Ollama would not accept.
    """
    found = read_fields(value, _FIELDS, "MessagesRequest")
    if not found.get("model"):
        raise ApiError(400, "model is required")
    if found.get("max_tokens", 0) <= 0:
        raise ApiError(400, "max_tokens is required and must be positive")
    given = found.get("messages")
    if not isinstance(given, list) or not given:
        raise ApiError(400, "messages is required")
    system = _text(found.get("system") or "")
    messages = [{"role": "system", "content": system}] if system else []
    messages += [made for message in given for made in _messages(object_of(message, "messages"))]
    chat: dict[str, Any] = {
        "model": found["model"],
        "messages": messages,
        "stream": found.get("stream", False),
        "options": {mine: found[name] for name, mine in _OPTIONS.items() if name in found},
        "tools": [
            _tool(tool) for tool in objects(found.get("tools"), "tools") if "input_schema" in tool
        ],
        "think": _think(found),
    }
    return evolve(read_chat(chat), dialect="messages")


def _think(found: dict[str, Any]) -> bool | str | None:
    kind = found.get("thinking", {}).get("type")
    if kind in ("enabled", "disabled"):
        return bool(kind == "enabled")
    effort = found.get("output_config", {}).get("effort")
    return _EFFORTS.get(effort) if isinstance(effort, str) else None


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    names = {"name": "name", "description": "description", "input_schema": "parameters"}
    function = {mine: tool[name] for name, mine in names.items() if name in tool}
    return {"type": "function", "function": function}


def _text(content: Any) -> str:
    """Join the texts of a content, which is a text or an array of blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(
        string(block.get("text", ""), "text")
        for block in blocks
        if isinstance(block, dict) and block.get("type") == "text"
    )


def _messages(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the messages of one: results of tools are messages of their own."""
    content, role = message.get("content"), message.get("role", "")
    made: dict[str, Any] = {"role": role, "content": _text(content)}
    for block in content if isinstance(content, list) else ():
        match object_of(block, "content").get("type"):
            case "image":
                made.setdefault("images", []).append(_image(block))
            case "thinking":
                made["thinking"] = block.get("thinking", "")
            case "tool_use":
                made.setdefault("tool_calls", []).append(_call(block))
            case "tool_result":
                result = {"role": "tool", "content": _text(block.get("content"))}
                yield result | {"tool_call_id": block.get("tool_use_id", "")}
    if len(made) > 2 or made["content"]:
        yield made


def _image(block: dict[str, Any]) -> Any:
    source = object_of(block.get("source") or {}, "source")
    if source.get("type") != "base64":
        what = f"invalid image source type: {source.get('type', '')}. "
        raise ApiError(400, what + "Only base64 images are supported.")
    return source.get("data", "")


def _call(block: dict[str, Any]) -> dict[str, Any]:
    for field in ("id", "name"):
        if not block.get(field):
            raise ApiError(400, f"tool_use block missing required '{field}' field")
    function = {"name": block["name"], "arguments": block.get("input") or {}}
    return {"id": block["id"], "function": function}


class MessagesTranslator:
    """Writes the events of one answer.

    Args:
        call: the request.
    """

    def __init__(self, call: TextCall) -> None:
        characters = sum(len(message.content) for message in call.messages)
        self._estimate = characters // _CHARACTERS_PER_TOKEN
        self._model = call.model
        asked = call.messages[-1].content if call.messages else ""
        number = crc32(asked.encode("utf-8", "replace"))
        self._id = f"msg_{number:024x}"
        self._index = 0
        self._open = ""
        self._has_called = False

    def begin(self) -> list[bytes]:
        """Say whose message it is, with an estimate of what was read."""
        usage = {"input_tokens": self._estimate, "output_tokens": 0}
        message = self._head() | {"content": [], "usage": usage}
        return [sse({"type": "message_start", "message": message})]

    def event(self, event: dict[str, Any]) -> list[bytes]:
        """Write deltas of blocks; a block of another kind begins behind the end of the last."""
        message, pieces = event["message"], []
        for field, kind in (("thinking", "thinking"), ("content", "text")):
            if text := message.get(field):
                pieces += self._into(kind, {"type": kind, kind: ""})
                pieces.append(self._delta({"type": f"{kind}_delta", kind: text}))
        for call in message.get("tool_calls", ()):
            pieces += self._called(call)
        return pieces

    def end(self, event: dict[str, Any]) -> list[bytes]:
        """Close the block, and tell the reason and the real counts."""
        pieces = self.event(event) + self._shut()
        delta = {"stop_reason": self._reason(event)}
        pieces.append(sse({"type": "message_delta", "delta": delta, "usage": _usage(event)}))
        return [*pieces, sse({"type": "message_stop"})]

    def whole(self, event: dict[str, Any]) -> dict[str, Any]:
        """Write an answer as one object; null is the content of one that has none."""
        message = event["message"]
        content: list[dict[str, Any]] = []
        if message.get("thinking"):
            content.append({"type": "thinking", "thinking": message["thinking"]})
        if message.get("content"):
            content.append({"type": "text", "text": message["content"]})
        for call in message.get("tool_calls", ()):
            self._has_called = True
            function = call["function"]
            block = {"type": "tool_use", "id": call["id"], "name": function["name"]}
            content.append(block | {"input": function["arguments"]})
        made = self._head() | {"content": content or None, "stop_reason": self._reason(event)}
        return made | {"usage": _usage(event)}

    def _head(self) -> dict[str, Any]:
        return {"id": self._id, "type": "message", "role": "assistant", "model": self._model}

    def _reason(self, event: dict[str, Any]) -> str:
        reason = event.get("done_reason", "")
        if self._has_called and reason == "stop":
            return "tool_use"
        return _STOPS.get(reason, "stop_sequence")

    def _into(self, kind: str, block: dict[str, Any]) -> list[bytes]:
        if self._open == kind:
            return []
        pieces = self._shut()
        self._open = kind
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return [*pieces, sse(start)]

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return sse({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _shut(self) -> list[bytes]:
        if not self._open:
            return []
        self._open = ""
        self._index += 1
        return [sse({"type": "content_block_stop", "index": self._index - 1})]

    def _called(self, call: dict[str, Any]) -> list[bytes]:
        self._has_called = True
        function = call["function"]
        block = {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}}
        arguments = json.dumps(function["arguments"], ensure_ascii=False, separators=(",", ":"))
        pieces = self._into(f"tool_use {call['id']}", block)
        pieces.append(self._delta({"type": "input_json_delta", "partial_json": arguments}))
        return pieces + self._shut()


def _usage(event: dict[str, Any]) -> dict[str, int]:
    read, written = event.get("prompt_eval_count", 0), event.get("eval_count", 0)
    return {"input_tokens": read, "output_tokens": written}
