"""A turn as the body of a request, for each of the routes. No IO."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.asker import History

__all__ = ["PATHS", "encode_body", "messages_of", "options_of", "user_message"]

PATHS: Final[dict[Api, str]] = {
    "chat": "/api/chat",
    "generate": "/api/generate",
    "embed": "/api/embed",
    "openai": "/v1/chat/completions",
}

_OPENAI_OPTIONS: Final = (
    "temperature",
    "top_p",
    "seed",
    "stop",
    "frequency_penalty",
    "presence_penalty",
)
"""Options that have the same name and meaning in both APIs; the others exist in Ollama's only."""

_KINDS: Final = {"/9j/": "jpeg", "iVBOR": "png", "UklGR": "webp"}
"""How base64 of a picture begins."""

_encode: Final = msgspec.json.Encoder().encode


def encode_body(api: Api, session: Session, turn: Turn, history: History) -> bytes:
    """The body of a request.

    Args:
        api: which route.
        session: whose turn it is.
        turn: what is asked.
        history: what was said before; chats only.
    """
    match api:
        case "chat":
            fields = _chat(session, turn, history)
        case "generate":
            fields = _generate(session, turn)
        case "embed":
            fields = {"model": session.model, "input": turn.prompt, "options": session.options}
        case "openai":
            fields = _openai(session, turn, history)
    return _encode({name: value for name, value in fields.items() if value not in ("", (), {})})


def messages_of(session: Session, turn: Turn, history: History) -> History:
    """The messages of a chat: system, what was said before, and the user's words."""
    system: History = [{"role": "system", "content": session.system}] if session.system else []
    return [*system, *history, user_message(turn)]


def user_message(turn: Turn) -> dict[str, Any]:
    """The user's words, as Ollama takes them."""
    message: dict[str, Any] = {"role": "user", "content": turn.prompt}
    if turn.images:
        message["images"] = turn.images
    return message


def options_of(session: Session, turn: Turn) -> dict[str, Any]:
    """The session's options, with the length of this answer."""
    if turn.num_predict is None:
        return session.options
    return session.options | {"num_predict": turn.num_predict}


def _chat(session: Session, turn: Turn, history: History) -> dict[str, Any]:
    return {
        "model": session.model,
        "messages": messages_of(session, turn, history),
        "stream": True,
        "tools": session.tools,
        "format": session.format or "",
        "think": "" if session.think is None else session.think,
        "options": options_of(session, turn),
    }


def _generate(session: Session, turn: Turn) -> dict[str, Any]:
    return {
        "model": session.model,
        "prompt": turn.prompt,
        "system": session.system,
        "stream": True,
        "images": turn.images,
        "format": session.format or "",
        "think": "" if session.think is None else session.think,
        "options": options_of(session, turn),
    }


def _openai(session: Session, turn: Turn, history: History) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "model": session.model,
        "messages": [_openai_message(each) for each in messages_of(session, turn, history)],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": session.tools,
        "response_format": _response_format(session.format),
    }
    if turn.num_predict is not None:
        fields["max_tokens"] = turn.num_predict
    return fields | {
        name: session.options[name] for name in _OPENAI_OPTIONS if name in session.options
    }


def _openai_message(message: dict[str, Any]) -> dict[str, Any]:
    images = message.get("images", ())
    if not images:
        return message
    words = {"type": "text", "text": message["content"]}
    pictures = [{"type": "image_url", "image_url": {"url": _data_uri(each)}} for each in images]
    return {"role": message["role"], "content": [words, *pictures]}


def _data_uri(image: str) -> str:
    kind = next((kind for begin, kind in _KINDS.items() if image.startswith(begin)), "png")
    return f"data:image/{kind};base64,{image}"


def _response_format(wanted: str | dict[str, Any] | None) -> dict[str, Any]:
    if isinstance(wanted, dict):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    return {"type": "json_object"} if wanted else {}
