"""What the hand-written clients share: the typed chat line, the request, the splitter.

A peer that users would write by hand decodes into a typed `msgspec.Struct`; so does the floor, with
every field of a chat line, so that no client wins by reading less.
"""

from __future__ import annotations

import msgspec

from benchmarks.plan import MODEL, PROMPT


class Message(msgspec.Struct):
    """The message of a chat line."""

    role: str
    content: str = ""
    thinking: str | None = None
    tool_calls: list[dict[str, object]] | None = None
    tool_name: str | None = None
    images: list[str] | None = None


class ChatLine(msgspec.Struct):
    """One line of ``/api/chat``: all fields that the server documents."""

    model: str
    created_at: str
    message: Message
    done: bool
    done_reason: str | None = None
    remote_model: str | None = None
    remote_host: str | None = None
    logprobs: list[dict[str, object]] | None = None
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0


decode = msgspec.json.Decoder(ChatLine).decode
"""Decode one line, typed and checked."""

BODY = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
"""The request body that every client sends, each in its own way."""


def request_bytes(port: int) -> bytes:
    """Return the whole chat request, for the clients that write it themselves."""
    body = msgspec.json.encode(BODY)
    head = (
        f"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/x-ndjson\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
