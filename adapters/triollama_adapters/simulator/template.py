"""From messages to the prompt that the model reads, and the count of its tokens.

Owns one template, in the manner of ChatML, for all models; joining of neighbours with the same
role; dropping the oldest messages until the prompt fits (``ollama-api.md`` §4.7).
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

__all__ = [
    "ASSISTANT",
    "IMAGE_TOKENS",
    "NO_THINKING",
    "TEMPLATE",
    "THINKING",
    "Message",
    "Prompt",
    "cut_middle",
    "fit_messages",
    "render",
    "token_count",
]

TEMPLATE = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)
ASSISTANT = "<|im_start|>assistant\n"
THINKING = "<think>\n"
NO_THINKING = "<think>\n\n</think>\n\n"
IMAGE_TOKENS = 768
"""What Ollama counts for an image when it cuts a prompt."""

_TOKEN_CHARACTERS = 4


@frozen
class Message:
    """One message of a chat.

    Attributes:
        role: in lower case.
        content: its text.
        thinking: what the assistant thought before.
        images: the decoded bytes of its images.
        tool_calls: as JSON.
        tool_name: which tool's result it is.
    """

    role: str
    content: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    tool_calls: tuple[Any, ...] = ()
    tool_name: str = ""


@frozen
class Prompt:
    """What the model reads.

    Attributes:
        text: the rendered prompt.
        images: the images, in order.
        tokens: its length in tokens.
    """

    text: str
    images: tuple[bytes, ...] = ()
    tokens: int = 0


def token_count(text: str, images: int = 0) -> int:
    """Count the tokens of a text: one for every four characters begun, at least one."""
    return max(1, -(-len(text) // _TOKEN_CHARACTERS)) + IMAGE_TOKENS * images


def render(
    messages: Sequence[Message], *, system: str = "", tools: Sequence[Any] = (), think: bool | None
) -> Prompt:
    """Render messages; a trailing assistant message is left open, so that the model goes on.

    Args:
        messages: the chat; neighbours with the same role are joined with a blank line.
        system: the model's own system prompt, used unless the first message is one.
        tools: definitions of tools, as JSON; they stand in the system prompt.
        think: whether the model thinks first; None if it cannot.
    """
    joined = _joined(messages)
    if system and (not joined or joined[0].role != "system"):
        joined.insert(0, Message("system", system))
    parts = [f"<|im_start|>tools\n{json.dumps(list(tools))}<|im_end|>\n"] if tools else []
    images: list[bytes] = []
    for message in joined:
        places = "".join(f"[img-{len(images) + n}]" for n in range(len(message.images)))
        images += message.images
        parts.append(f"<|im_start|>{message.role}\n{places}{_body(message)}<|im_end|>\n")
    if joined and joined[-1].role == "assistant":
        parts[-1] = parts[-1].removesuffix("<|im_end|>\n")
    else:
        opened = {True: THINKING, False: NO_THINKING, None: ""}[think]
        parts.append(ASSISTANT + opened)
    text = "".join(parts)
    return Prompt(text, tuple(images), token_count(text, len(images)))


def _body(message: Message) -> str:
    thinking = f"{THINKING}{message.thinking}\n</think>\n\n" if message.thinking else ""
    calls = f"<tool_call>{json.dumps(message.tool_calls)}</tool_call>" if message.tool_calls else ""
    name = f"{message.tool_name}: " if message.tool_name else ""
    return f"{thinking}{name}{message.content}{calls}"


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Join neighbours with the same role, as Ollama's own templates do."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role and message.role != "tool":
            before = joined[-1]
            joined[-1] = evolve(
                before,
                content=f"{before.content}\n\n{message.content}",
                images=before.images + message.images,
                tool_calls=before.tool_calls + message.tool_calls,
            )
        else:
            joined.append(message)
    return joined


def fit_messages(
    messages: Sequence[Message], tokens_max: int, **rendering: Any
) -> tuple[list[Message], Prompt]:
    """Drop the oldest messages until the prompt fits; system messages and the last one stay.

    Args:
        messages: the chat.
        tokens_max: the context, in tokens.
        rendering: passed on to `render`.
    """
    droppable = [at for at, message in enumerate(messages[:-1]) if message.role != "system"]

    def without(count: int) -> list[Message]:
        dropped = set(droppable[:count])
        return [message for at, message in enumerate(messages) if at not in dropped]

    # Halving, because a long chat rendered anew for each message dropped takes minutes.
    count = bisect_left(
        range(len(droppable)),
        True,  # noqa: FBT003  # what is searched for: the first count that fits
        key=lambda count: render(without(count), **rendering).tokens <= tokens_max,
    )
    kept = without(count)
    return kept, render(kept, **rendering)


def cut_middle(prompt: Prompt, tokens_max: int, keep_tokens: int) -> Prompt:
    """Keep the first tokens and the last, so that the prompt fits with half of the context free."""
    tokens = max(1, tokens_max - IMAGE_TOKENS * len(prompt.images))
    head = prompt.text[: min(keep_tokens, tokens // 2) * _TOKEN_CHARACTERS]
    rest = max(1, tokens // 2) * _TOKEN_CHARACTERS
    text = head + prompt.text[-rest:]
    while token_count(text) > tokens and len(text) > _TOKEN_CHARACTERS:
        text = text[: -(_TOKEN_CHARACTERS * (token_count(text) - tokens))] or text[:4]
    return Prompt(text, prompt.images, min(tokens_max, token_count(text, len(prompt.images))))
