"""How much of a history fits: tokens counted or estimated, and the oldest turns left out."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
import msgspec

from triollama._errors import EndpointError, EngineError
from triollama.api import Message
from triollama.conversation.errors import ChatTooLongError
from triollama.conversation.history import droppable

__all__ = ["Budget", "ChatFit", "Estimate", "fit"]

TOKENS_PER_BYTE: Final = 0.35
"""Before a server has told anything: rather many for English, about right for other languages."""

TOKENS_PER_BYTE_MIN: Final = 0.1
"""A server that counts fewer has cut the prompt to its context, and its count says nothing."""

TOKENS_PER_BYTE_MAX: Final = 2.0

MESSAGE_TOKENS: Final = 6
"""For the marks that a template puts around a message."""

IMAGE_TOKENS: Final = 768
"""What Ollama itself takes for an image when it cuts a conversation."""


@attrs.frozen
class ChatFit:
    """How the last turn's messages fitted.

    Attributes:
        tokens: of the messages sent, system prompt and tools included.
        is_exact: whether the model's own tokenizer counted them.
        how: how the count was made, for people.
        turns_dropped: turns that were left out for the room, and are no part of the history now.
    """

    tokens: int
    is_exact: bool
    how: str
    turns_dropped: int = 0


@attrs.frozen
class Budget:
    """Tokens that a chat may have.

    Attributes:
        tokens_max: prompt and answer together.
        answer_tokens: room for the answer, of these.
    """

    tokens_max: int
    answer_tokens: int

    @property
    def prompt_max(self) -> int:
        """Tokens that are left for the prompt."""
        return self.tokens_max - self.answer_tokens


@attrs.define
class Estimate:
    """Tokens from the size of messages, by the ratio of the last prompt that a server counted.

    Attributes:
        tokens_per_byte: the ratio.
        is_told: whether a server has told it.
    """

    tokens_per_byte: float = TOKENS_PER_BYTE
    is_told: bool = False

    @property
    def how(self) -> str:
        """How this is made."""
        if self.is_told:
            return "estimated from the size, by the server's count of the last prompt"
        return "estimated from the size, before a server has counted anything"

    def tokens(self, messages: Sequence[Message], tools: Sequence[Any] | None) -> int:
        """Tokens of messages, with the definitions of tools."""
        size, fixed = _size(messages, tools)
        return fixed + math.ceil(size * self.tokens_per_byte)

    def learn(
        self, prompt_tokens: int, messages: Sequence[Message], tools: Sequence[Any] | None
    ) -> None:
        """The server's count of a prompt; a count that cannot be true changes nothing.

        Args:
            prompt_tokens: ``prompt_eval_count``.
            messages: what was sent.
            tools: the definitions that were sent.
        """
        size, fixed = _size(messages, tools)
        ratio = (prompt_tokens - fixed) / max(1, size)
        if TOKENS_PER_BYTE_MIN <= ratio <= TOKENS_PER_BYTE_MAX:
            self.tokens_per_byte = ratio
            self.is_told = True


CountTokens = Callable[[Sequence[Message]], Awaitable[ChatFit | None]]
"""Tokens as the model has them; None if that cannot be told."""


async def fit(
    history: Sequence[Message],
    new: Sequence[Message],
    *,
    system: Sequence[Message],
    tools: Sequence[Any] | None,
    budget: Budget,
    estimate: Estimate,
    exact: CountTokens | None,
) -> tuple[int, ChatFit]:
    """Find how many of the oldest messages must be left out.

    Args:
        history: what was said.
        new: what is said now; it stays, as does what goes before both.
        system: the system prompt, as no message or one.
        tools: the definitions that are sent.
        budget: what there is room for.
        estimate: counts where ``exact`` does not.
        exact: counts as the model does, or is None.

    Returns:
        The number of messages to leave out, and the count of the rest.

    Raises:
        ChatTooLongError: the rest does not fit even so.
    """
    cuts = droppable(history, new)
    counts: dict[int, ChatFit] = {}

    async def count(place: int) -> ChatFit:
        if place not in counts:
            rest = [*system, *history[cuts[place] :], *new]
            counts[place] = await _count(rest, tools, estimate, exact)
        return counts[place]

    low, high = 0, len(cuts) - 1
    while low < high:  # the fewest turns that make it fit, by halves
        middle = 0 if not counts else (low + high) // 2  # most often everything does
        if (await count(middle)).tokens <= budget.prompt_max:
            high = middle
        else:
            low = middle + 1
    found = await count(low)
    if found.tokens > budget.prompt_max:
        raise ChatTooLongError(
            tokens=found.tokens + budget.answer_tokens,
            tokens_max=budget.tokens_max,
            is_exact=found.is_exact,
        )
    return cuts[low], attrs.evolve(found, turns_dropped=low)


async def _count(
    messages: Sequence[Message],
    tools: Sequence[Any] | None,
    estimate: Estimate,
    exact: CountTokens | None,
) -> ChatFit:
    counted: ChatFit | None = None
    if exact is not None:
        with suppress(
            EndpointError, EngineError
        ):  # servers do not tell now; that need not stop this
            counted = await exact(messages)
    if counted is None:
        return ChatFit(estimate.tokens(messages, tools), is_exact=False, how=estimate.how)
    return counted


def _size(messages: Sequence[Message], tools: Sequence[Any] | None) -> tuple[int, int]:
    """Bytes of texts, and tokens that do not depend on them."""
    size = len(msgspec.json.encode(tools)) if tools else 0
    images = 0
    for message in messages:
        texts = (message.content, message.thinking or "", message.tool_name or "")
        size += sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        if message.tool_calls:
            size += len(msgspec.json.encode([call.function for call in message.tool_calls]))
        images += len(message.images)
    return size, MESSAGE_TOKENS * len(messages) + IMAGE_TOKENS * images
