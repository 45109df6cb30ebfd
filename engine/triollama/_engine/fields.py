"""The keyword arguments of chats and completions as a whole, for the signatures of overloads.

What a reader looks up, with its documentation, are the signatures of `Answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, TypedDict

from triollama._requests import ChatFields, FreeChatFields, FreeGenerateFields, GenerateFields
from triollama.api import ChatChunk, GenerateChunk

__all__ = ["BreakRule", "FormedChat", "FormedGenerate", "PlainChat", "PlainGenerate"]

BreakRule = Literal["continue", "restart", "raise"]
"""What to do when an answer breaks; see `Answers.stream_chat`."""


class _Terms(TypedDict, total=False):
    """How a request is treated."""

    deadline_s: float | None
    priority: int
    on_break: BreakRule
    caller: str
    tags: Collection[str]


class _ChatTerms(_Terms, total=False):
    on_chunk: Callable[[ChatChunk], object] | None


class _GenerateTerms(_Terms, total=False):
    on_chunk: Callable[[GenerateChunk], object] | None


class PlainChat(ChatFields, _ChatTerms, total=False):
    """A chat whose answer is a text."""


class FormedChat(FreeChatFields, _ChatTerms, total=False):
    """A chat whose answer becomes an object; its ``format`` says which."""


class PlainGenerate(GenerateFields, _GenerateTerms, total=False):
    """A completion whose answer is a text."""


class FormedGenerate(FreeGenerateFields, _GenerateTerms, total=False):
    """A completion whose answer becomes an object; its ``format`` says which."""
