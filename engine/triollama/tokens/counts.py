"""`TokenCount`: how many tokens, whether that is sure, and how it was found; and estimates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, Literal

import attrs
import msgspec

from triollama.api import ChatRequest

__all__ = [
    "FRAME_TOKENS",
    "IMAGE_TOKENS",
    "Method",
    "TokenCount",
    "contents",
    "estimate_messages",
    "estimate_text",
]

Method = Literal["tokenizer", "rendered", "contents", "characters"]
"""How a count was found; see `TokenCount.method`."""


@attrs.frozen
class TokenCount:
    """How many tokens a text or a chat has.

    Attributes:
        count: tokens, of all texts together.
        is_exact: whether the server would count the same.
        method: ``tokenizer``: by the model's own tokenizer. ``rendered``: the server told what it
            makes of the chat, and that was counted so. ``contents``: the contents of the messages
            were counted so, and what the template puts around them estimated. ``characters``: all
            is estimated from the number of characters.
        counts: of each text, if several were given; empty otherwise.
    """

    count: int
    is_exact: bool
    method: Method
    counts: tuple[int, ...] = ()

    def __int__(self) -> int:
        """The count."""
        return self.count


FRAME_TOKENS: Final = 5
"""What a template puts around one message, roles included: 4 or 5 in the common ones."""

IMAGE_TOKENS: Final = 768
"""What Ollama takes for an image when it cuts a chat to the context (``ollama-api.md`` §4.7)."""

_ASCII_PER_TOKEN: Final = 3.5
_LETTERS_PER_TOKEN: Final = 2.0
"""Characters per token, of ASCII and of other alphabets. Vocabularies of today have 4 and 2 to 3 in
prose, less in code; an estimate is rather too high, so that what it lets through fits."""

_WIDE: Final = re.compile("[\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\U00010000-\U0010ffff]")
"""Characters that stand for a syllable, a word or a picture: a token each."""


def estimate_text(text: str) -> int:
    """Tokens of a text, estimated from its characters."""
    wide = len(_WIDE.findall(text))
    ascii_only = len(text.encode("ascii", "ignore"))
    letters = len(text) - wide - ascii_only
    return math.ceil(wide + ascii_only / _ASCII_PER_TOKEN + letters / _LETTERS_PER_TOKEN)


def contents(request: ChatRequest) -> Sequence[str]:
    """All texts of a chat that its template puts somewhere."""
    texts: list[str] = []
    for message in request.messages:
        texts += [message.role, message.content, message.thinking or "", message.tool_name or ""]
        for call in message.tool_calls:
            texts += [call.function.name, _json(call.function.arguments)]
    texts += [_json(tool) for tool in request.tools or ()]
    return [text for text in texts if text]


def estimate_messages(request: ChatRequest) -> int:
    """What a chat has besides the tokens of its `contents`, estimated."""
    images = sum(len(message.images) for message in request.messages)
    return FRAME_TOKENS * (len(request.messages) + 1) + IMAGE_TOKENS * images


def _json(value: object) -> str:

    return msgspec.json.encode(value).decode()
