"""Messages as OpenAI has them into messages as Ollama has them. No IO.

As Ollama's own ``/v1/chat/completions`` does it (``ollama-api.md`` §7.1): each part of a content
becomes a message of its own, and tool calls stand at the last one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from triollama_adapters.batch.fields import UnusableError

__all__ = ["Message", "decoded_image", "messages_of"]

_DATA_URIS: Final = tuple(
    f"data:{kind};base64," for kind in ("image/jpeg", "image/jpg", "image/png", "image/webp", "")
)
"""The beginnings of an image that Ollama takes."""


class _Url(msgspec.Struct):
    url: str


class _Audio(msgspec.Struct):
    data: str


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    image_url: str | _Url | None = None
    input_audio: _Audio | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    function: _Function
    id: str = ""


class Message(msgspec.Struct):
    """A message as OpenAI has it; see its reference."""

    role: str
    content: str | list[_Part] | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    name: str | None = None


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def messages_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages for Ollama.

    Raises:
        UnusableError: there are none, or one has a content that Ollama does not take.
    """
    if not messages:
        raise _wrong("messages", "is empty")
    return [
        made
        for at, message in enumerate(messages)
        for made in _made(message, messages[:at], f"messages[{at}]")
    ]


def decoded_image(text: str, where: str) -> bytes:
    """The bytes of a base64 text. As bytes, a row's image is never taken for a file's path.

    Raises:
        UnusableError: it is not base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(where, "is not base64") from None


def _made(message: Message, before: Sequence[Message], where: str) -> list[dict[str, Any]]:
    if message.content is None and not message.tool_calls:
        raise _wrong(f"{where}.content", "is missing")
    if isinstance(message.content, list):
        made = list(_parts(message.role, message.content, f"{where}.content"))
        if not made:
            return []
    else:
        made = [{"role": message.role, "content": message.content or ""}]
    last = made[-1]
    if message.reasoning:
        last["thinking"] = message.reasoning
    if message.tool_calls:
        last["tool_calls"] = [_call(call, where) for call in message.tool_calls]
    if message.tool_call_id:
        last["tool_call_id"] = message.tool_call_id
    if message.role.lower() == "tool" and (name := _tool_name(message, before)):
        last["tool_name"] = name
    return made


def _parts(role: str, parts: Sequence[_Part], where: str) -> Iterator[dict[str, Any]]:
    for at, part in enumerate(parts):
        match part:
            case _Part(type="text", text=str() as text):
                yield {"role": role, "content": text}
            case _Part(type="image_url", image_url=str() as url):
                yield {"role": role, "content": "", "images": [_image(url, f"{where}[{at}]")]}
            case _Part(type="image_url", image_url=_Url(url=url)):
                yield {"role": role, "content": "", "images": [_image(url, f"{where}[{at}]")]}
            case _Part(type="input_audio", input_audio=_Audio(data=data)):
                image = decoded_image(data, f"{where}[{at}]")
                yield {"role": role, "content": "", "images": [image]}
            case _:
                raise _wrong(f"{where}[{at}]", "is none of text, image_url, input_audio")


def _image(url: str, where: str) -> bytes:
    for start in _DATA_URIS:
        if url.startswith(start):
            return decoded_image(url.removeprefix(start), where)
    what = "is no image in base64 (data:image/png;base64,…); Ollama fetches no addresses"
    raise _wrong(where, what)


def _call(call: _Call, where: str) -> dict[str, Any]:
    try:
        arguments = _decode_object(call.function.arguments)
    except (msgspec.DecodeError, RecursionError):
        raise _wrong(where, "has a tool call whose arguments are no JSON object") from None
    return {"id": call.id, "function": {"name": call.function.name, "arguments": arguments}}


def _tool_name(message: Message, before: Sequence[Message]) -> str | None:
    """Whose result a message is: by its own word, or by the call that it answers."""
    if message.name or not message.tool_call_id:
        return message.name
    for earlier in reversed(before):
        for call in earlier.tool_calls or ():
            if call.id == message.tool_call_id:
                return call.function.name
    return None


def _wrong(where: str, what: str) -> UnusableError:
    return UnusableError("RequestNotUsable", f"has a body that is not usable: {where} {what}")
